import json
import re

import zoo
from pipelines.cli import main


def test_info_prints_the_facts_of_the_spec(capsys):
    assert main(["info", "efficientnet_lite0"]) == 0
    printed = capsys.readouterr().out
    spec = zoo.get_spec("efficientnet_lite0")
    assert spec.weights is not None
    for fact in (
        "224 px, at least 32 px",
        "1280",
        "3,413,024",
        "Apache-2.0",
        spec.paper,
        f"sha256 {spec.weights.sha256}",
        " ".join(spec.block_names),
    ):
        assert fact in printed


def test_info_of_a_backbone_without_weights(capsys):
    assert main(["info", "tiny_image"]) == 0
    assert re.search(r"weights +none published", capsys.readouterr().out)


def test_info_missing_weights_say_how_to_get_them(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    file = zoo.get_spec("resnet50").weights
    assert file is not None
    assert main(["info", "resnet50"]) == 0
    printed = capsys.readouterr().out
    assert "no; zoo fetch resnet50" in printed
    assert file.url in printed
    (tmp_path / "models").mkdir()
    at_hand = tmp_path / "models" / file.file_name
    at_hand.write_bytes(b"weights")
    assert main(["info", "resnet50"]) == 0
    assert re.search(rf"on this machine +{at_hand}", capsys.readouterr().out)


def test_info_as_json(capsys):
    assert main(["info", "efficientnet_lite0", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    spec = zoo.get_spec("efficientnet_lite0")
    assert spec.weights is not None
    assert values["name"] == spec.name
    assert values["weights"]["sha256"] == spec.weights.sha256
    assert values["input"]["pixels"]["mean"] == list(spec.input.pixels.mean)
    assert "weights_at" in values
