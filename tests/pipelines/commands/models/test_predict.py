import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.cli import main


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


@pytest.fixture
def photo(tmp_path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(pixels))
    return path


def test_predict_gives_a_row_for_every_file(finished_run, photo, capsys):
    other = photo.with_name("broken.jpg")
    other.write_bytes(b"not an image")
    base = finished_run / "artifact"
    assert main(["predict", str(base), str(photo), str(other)]) == 0
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["file", "label", "confidence", "accepted"]
    assert re.fullmatch(rf"{photo} +\d +[01]\.\d{{4}} +(yes|no)", first)
    assert re.fullmatch(rf"{other} +\(not a readable image\) +0\.0000 +no", second)


def test_predict_as_json_is_one_object(finished_run, photo, fresh_process):
    ended = fresh_process(
        "from pipelines.cli import main; main()",
        "predict",
        str(finished_run / "artifact" / "1"),
        str(photo),
        "--json",
        warm=True,
    )
    (prediction,) = json.loads(ended.stdout)["predictions"]
    assert prediction["file"] == str(photo)
    assert prediction["valid"] is True
    assert prediction["label"] in prediction["probabilities"]
    assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert prediction["confidence"] == max(prediction["probabilities"].values())
    assert prediction["label"] in prediction["prediction_set"]
    assert isinstance(prediction["ood_score"], float)


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_folder_that_is_not_an_artifact_is_refused(
    command, finished_run, photo, tmp_path, capsys
):
    rest = [str(photo)] if command == "predict" else ["--data=builtin:digits?limit=120"]
    assert main([command, str(tmp_path), *rest]) == 4
    assert "is not an artifact: it has no zoo_artifact.json" in capsys.readouterr().err
    assert main([command, str(finished_run), *rest]) == 4
    assert f"try {finished_run / 'artifact'}" in capsys.readouterr().err


def test_predict_changed_artifact_is_refused(finished_run, photo, tmp_path, capsys):
    copy = tmp_path / "artifact"
    shutil.copytree(finished_run / "artifact", copy)
    assert main(["predict", str(copy), str(photo)]) == 0
    capsys.readouterr()
    with (copy / "1" / "saved_model.pb").open("ab") as stream:
        stream.write(b"x")
    assert main(["predict", str(copy), str(photo)]) == 4
    assert "not what was published: saved_model.pb differ" in capsys.readouterr().err
