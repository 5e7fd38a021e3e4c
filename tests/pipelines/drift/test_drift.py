"""A batch beside a run: the same kind of images, other ones, and too few."""

import json

import numpy as np
import pytest
from PIL import Image

from pipelines import cli
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.drift.drift import drift
from pipelines.errors import ArtifactError, DataError
from tests.pipelines.conftest import TINY_DATA


def _written(folder, images):
    folder.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(np.asarray(image, np.uint8)).save(folder / f"{i}.png")
    return str(folder)


@pytest.mark.slow
def test_other_images_have_drifted(tiny_flags, tmp_path, capsys):
    assert cli.main(["train", *tiny_flags, "--config.export.drift=true"]) == 0
    capsys.readouterr()
    splits = load(DatasetRef.parse(TINY_DATA))
    held_out = [
        part.inputs[i]
        for part in (splits.validation, splits.test)
        for i in range(len(part))
    ]
    artifact = tmp_path / "run" / "artifact"
    same = drift(artifact, _written(tmp_path / "same", held_out))
    assert not same.drifted
    assert same.examples == len(held_out)
    assert sum(same.estimated_shares.values()) == pytest.approx(1, abs=1e-4)
    other = _written(tmp_path / "other", [255 - np.asarray(x) for x in held_out])
    assert cli.main(["drift", str(tmp_path / "run"), "--data", other, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["drifted"] is True
    assert {row["measure"] for row in values["measures"]} >= {"ood_score", "answers"}
    few = _written(tmp_path / "few", held_out[:3])
    with pytest.raises(DataError, match="has 3 examples .* Gather more"):
        drift(artifact, few)


def test_artifact_without_statistics_is_refused(finished_run, tmp_path):
    with pytest.raises(ArtifactError, match="config.export.drift=True"):
        drift(finished_run, f"dir:{tmp_path}")
