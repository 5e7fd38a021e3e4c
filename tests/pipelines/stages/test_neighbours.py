"""A run whose artifact holds an index of its training examples."""

import json

import numpy as np
import pytest

import pipelines
from pipelines import cli
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.errors import ArtifactError, ConfigError
from pipelines.problems.registry import make
from pipelines.serving.training_data.neighbours import FILE
from pipelines.stages.neighbours import require_classes
from tests.pipelines.conftest import TINY_DATA


@pytest.mark.slow
def test_training_example_is_its_own_neighbour(tiny_flags, tmp_path):
    assert cli.main(["train", *tiny_flags, "--config.export.neighbours=true"]) == 0
    folder = tmp_path / "run"
    # Opened as published: the index is in the manifest.
    predictor = pipelines.load(folder / "artifact")
    manifest = json.loads((folder / "artifact/1/zoo_artifact.json").read_text())
    assert FILE in manifest["files"]
    train = load(DatasetRef.parse(TINY_DATA)).train
    images = [np.asarray(train.inputs[i]) for i in range(4)]
    rows = predictor.neighbours(images, 3)
    for i, near in enumerate(rows):
        assert len(near) == 3
        assert near[0].distance < 0.05
        assert near[0].label == str(train.labels[i])
        assert near[0].distance <= near[1].distance <= near[2].distance


def test_artifact_without_an_index_says_how(finished_run):
    predictor = pipelines.load(finished_run / "artifact")
    with pytest.raises(ArtifactError, match="config.export.neighbours=True"):
        predictor.neighbours([np.zeros((8, 8, 3), np.uint8)])


def test_problem_without_classes_is_refused():
    numbers = make("regression", ["age"], np.zeros((4, 1), np.float32))
    with pytest.raises(ConfigError, match="the problem is regression"):
        require_classes(numbers, "neighbours")
    require_classes(make("single_label", ["a", "b"], np.array([0, 1])), "drift")
