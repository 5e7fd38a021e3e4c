"""Normal examples train, anomalies are held out, and it is known which are which."""

import dataclasses

import numpy as np
import pytest

from pipelines.data.load import check_and_split, read
from pipelines.data.reference import DatasetRef
from pipelines.data.targets import anomaly
from pipelines.data.targets.anomaly import Anomaly
from pipelines.errors import DataError
from pipelines.serving.naming import ANOMALY_KINDS
from tests.support.labelled import in_arrays

KINDS = np.array(["normal"] * 20 + ["crack"] * 6 + ["dust"] * 4)


def splits_of(folder, y, **more):
    ref = DatasetRef.parse(in_arrays(folder, y, **more))
    return check_and_split(read(ref, "anomaly"), ref)


def test_names_are_those_of_the_interface():
    assert anomaly.NAMES == ANOMALY_KINDS


def test_anomalies_of_all_classes_are_held_out(tmp_path):
    splits = splits_of(tmp_path, KINDS)
    assert splits.info.counts == {
        "train": {"normal": 14, "anomaly": 0},
        "validation": {"normal": 3, "anomaly": 5},
        "test": {"normal": 3, "anomaly": 5},
    }
    assert splits.info.problem == "anomaly"


def test_a_single_class_is_normal_and_said(tmp_path):
    splits = splits_of(tmp_path, np.array(["bottle"] * 20))
    assert splits.info.counts["test"] == {"normal": 3, "anomaly": 0}
    assert "'bottle' is the only class" in splits.info.notes[0]


def test_groups_with_an_anomaly_are_held_out_whole():
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 0, 0, 1])
    groups = np.array([0, 1, 2, 3, 4, 5, 6, 6, 7, 7])
    dealt = Anomaly().deal(labels, groups, held_out=[0.2, 0.2], seed=0)
    assert (dealt[6:] > 0).all()
    assert dealt[6] == dealt[7] != dealt[8] == dealt[9]
    assert Anomaly().count_independent(labels, groups, anomaly.NAMES) == [("normal", 6)]
    one = Anomaly().deal(labels, groups, held_out=[0.5], seed=0)
    assert (one[labels == 1] == 1).all()


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (["cat", "dog"] * 5, "none is called 'normal' or 'good'"),
        (["normal", "good", "crack"] * 5, "several are called"),
        (["normal"] + ["crack"] * 9, "'normal' has 1 independent image"),
        (["normal"], "'normal' has 1 independent image"),
    ],
)
def test_data_without_enough_normal_examples_are_refused(tmp_path, y, sentence):
    with pytest.raises(DataError, match=sentence):
        splits_of(tmp_path, np.array(y))


SPLITS = np.array(["train", "validation", "test"] * 10)


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (np.where(np.arange(30) == 3, "crack", "normal"), "1 anomalies are in train"),
        (np.where(SPLITS == "validation", "crack", "normal"), "has no normal example"),
    ],
)
def test_splits_that_cannot_serve_are_refused(tmp_path, y, sentence):
    with pytest.raises(DataError, match=sentence):
        splits_of(tmp_path, y, split=SPLITS)


def test_weights_are_refused_by_name(tmp_path):
    ref = DatasetRef.parse(in_arrays(tmp_path, KINDS))
    examples = read(ref, "anomaly")
    weighted = dataclasses.replace(examples, weights=np.ones(30, np.float32))
    with pytest.raises(DataError, match="weight"):
        check_and_split(weighted, ref)


def test_folders_may_train_on_one_class_alone(tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    for place, count in {"train/good": 8, "test/good": 3, "test/crack": 3}.items():
        (tmp_path / place).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / place / f"{i}.png")
    ref = DatasetRef.parse(f"dir:{tmp_path}")
    counts = check_and_split(read(ref, "anomaly"), ref).info.counts
    assert counts["test"] == {"normal": 3, "anomaly": 3}
    assert counts["train"]["anomaly"] == 0
    assert counts["validation"]["normal"] > 0
