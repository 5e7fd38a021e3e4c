"""`zoo rank` with real weights, and with backbones that cannot be ranked."""

import json

import numpy as np
import pytest

import pipelines
import zoo
from pipelines import ranking
from pipelines.cli import main
from pipelines.data.readers import builtin
from pipelines.errors import ConfigError
from pipelines.planning.backbones.ranking import Ranking
from zoo.errors import BackboneError, MissingWeightsError, UnknownBackboneError

DATA = "builtin:mnist_5k?limit=240"


@pytest.fixture
def small_rounds(monkeypatch):
    """Both rounds at sizes that take seconds, and still two of them."""
    monkeypatch.setattr(ranking, "_FIRST_EXAMPLES", 100)
    monkeypatch.setattr(ranking, "_FIRST_SIZE_PX", 40)
    monkeypatch.setattr(ranking, "_FULL_EXAMPLES", 120)


def _fails(spec, pixels, weights_file):
    raise RuntimeError("no such op\nand more that nobody reads")


@pytest.mark.weights
@pytest.mark.slow
def test_real_weights_are_ranked_in_two_rounds(small_rounds, registered, capsys):
    registered("efficientnet_lite_none", network=_fails, source="breaks")
    registered("efficientnet_lite_tiny", imagenet_top1=0.99)
    pattern = "efficientnet_lite[01_]*"
    assert main(["rank", "--data", DATA, "--backbones", pattern, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    names = [one["backbone"] for one in found["backbones"]]
    assert sorted(names[:2]) == ["efficientnet_lite0", "efficientnet_lite1"]
    assert names[:2] == found["finalists"]
    assert names[2:] == ["efficientnet_lite_tiny"]
    first, second, third = found["backbones"]
    assert {first["input_size_px"], second["input_size_px"]} == {224, 240}
    assert third["input_size_px"] == 32
    assert (first["examples"], third["examples"]) == (120, 100)
    assert third["leep"] is None
    assert first["leep"] < 0 > second["leep"]
    for one in found["backbones"]:
        assert one["probe"]["accuracy"] > found["majority_accuracy"] + 0.2
        assert 0 < one["probe"]["standard_error"] < 0.1
        assert 0 < one["h_score"] < 9
        assert np.isfinite(one["logme"])
        assert one["seconds"] > 0
        assert one["peak_memory_bytes"] > 1e8
    assert found["left_out"] == [
        {"backbone": "efficientnet_lite_none", "reason": "RuntimeError: no such op"}
    ]
    assert found["reason"].startswith(f"'{names[0]}'")


def test_few_backbones_take_one_round_and_show_unknowns(registered, capsys):
    registered("rank_a")
    registered("rank_b", imagenet_top1=0.5)
    assert main(["rank", "--data", DATA, "--backbones=rank_*"]) == 0
    printed = capsys.readouterr().out
    assert "first round" not in printed
    assert "cannot be distinguished from" in printed
    lines = printed.splitlines()
    (b,) = (line.split() for line in lines if line.startswith("rank_b"))
    (a,) = (line.split() for line in lines if line.startswith("rank_a"))
    assert a[1:4] == b[1:4]  # the same weights
    assert (a[4], b[4]) == ("-", "0.500")
    assert "leep -: the weights do not carry the classifier" in printed
    assert any(line.startswith("tiny thumbnails") for line in lines)


def test_in_python_it_is_the_same_value(registered):
    registered("rank_a")
    found = pipelines.rank(DATA, backbones="rank_a")
    assert isinstance(found, Ranking)
    assert found.finalists == ("rank_a",)
    assert found.backbones[0].probe.accuracy > found.majority_accuracy
    digits = builtin.read("mnist_5k")
    arrays = (digits.inputs.pixels, digits.labels)
    again = pipelines.rank(arrays, limit=240, backbones="rank_a")
    assert again.backbones[0].probe == found.backbones[0].probe


def test_options_that_are_not_known_are_refused():
    arrays = (np.zeros((4, 8, 8, 3), np.uint8), ["a", "b"] * 2)
    with pytest.raises(ConfigError, match=r"config\.limt\."):
        pipelines.rank(arrays, limt=240)


def test_rank_names_unrankable_backbones_and_ranks_the_rest(registered):
    registered("rank_a")
    registered("rank_broken", network=_fails, source="broken")
    missing = zoo.WeightsFile("gone.h5", license="x", path="gone.h5")
    registered("rank_missing", weights=missing)
    registered("rank_random", weights=None)
    found = pipelines.rank(DATA, backbones="rank_*")
    assert [one.backbone for one in found.backbones] == ["rank_a"]
    assert found.missing == ("rank_missing",)
    reasons = {one.backbone: one.reason for one in found.left_out}
    assert set(reasons) == {"rank_broken", "rank_random"}
    assert "no such op" in reasons["rank_broken"]
    assert "Nobody publishes weights" in reasons["rank_random"]


def test_weights_that_are_not_numbers_are_named(registered, tmp_path):
    registered("rank_a")
    path = tmp_path / "nan.weights.h5"
    model = zoo.build("tiny_image", weights=None).model
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    model.save_weights(path)
    own = zoo.WeightsFile(path.name, license="x", path=str(path))
    registered("rank_nan", weights=own)
    found = pipelines.rank(DATA, backbones="rank_*")
    (left_out,) = found.left_out
    assert left_out.backbone == "rank_nan"
    assert "holds NaN or infinity" in left_out.reason


def test_where_nothing_can_be_measured_it_says_why(registered):
    registered("rank_broken", network=_fails, source="broken_again")
    with pytest.raises(BackboneError, match=r"(?s)could be measured.*rank_broken: Run"):
        pipelines.rank(DATA, backbones="rank_*")


def test_many_that_all_fail_are_tried_once(registered):
    for name in ("rank_x", "rank_y", "rank_z"):
        registered(name, network=_fails, source="fails")
    with pytest.raises(BackboneError) as caught:
        pipelines.rank(DATA, backbones="rank_*")
    assert str(caught.value).count("rank_y: RuntimeError") == 1


def test_texts_have_no_thumbnails_and_no_size(registered, tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 2
    words = np.array([["sun", "rain", "wind"], ["goal", "match", "team"]])
    texts = [" ".join(rng.choice(words[label], 6)) for label in labels]
    np.savez(tmp_path / "texts.npz", x=np.array(texts), y=labels)
    registered("rank_text", of="tiny_text")
    found = pipelines.rank(f"npz:{tmp_path / 'texts.npz'}", backbones="rank_*")
    (only,) = found.backbones
    assert only.input_size_px is None
    assert found.pixel_accuracy is None
    assert only.probe.accuracy > 0.9 > found.majority_accuracy


REFUSED = {
    "no such name": ("efficentnet_lite*", UnknownBackboneError, "mean efficientnet_l"),
    "another modality": ("minilm*", UnknownBackboneError, "take texts, and the data"),
    "no weights here": ("resnet50", MissingWeightsError, "zoo fetch resnet50"),
    "no weights at all": ("tiny_image", MissingWeightsError, "Nobody publishes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_patterns_without_a_candidate(case, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    pattern, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        pipelines.rank(DATA, backbones=pattern)


def test_a_seed_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="config.seed is -1"):
        pipelines.rank(DATA, seed=-1)
