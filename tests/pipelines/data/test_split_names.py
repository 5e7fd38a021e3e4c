"""Names that mean splits, names that may, and folders of such names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.data.load import read as read_any
from pipelines.data.readers.folder import read
from pipelines.data.reference import DatasetRef
from pipelines.data.split_names import usual_split, vague_split
from pipelines.errors import DataError


@pytest.mark.parametrize(
    ("names", "split"),
    [
        ("train Training TRAIN training_set train-images TrainSet trainset", "train"),
        ("train2017 training.data Train_Dataset train_split imgs_train", "train"),
        ("val valid validation VALID dev devset dev_set Validation-Set", "validation"),
        ("test Testing test_set testset test-images TEST tst test_data", "test"),
    ],
)
def test_usual_names(names: str, split: str) -> None:
    for name in (*names.split(), f" {split} "):
        assert usual_split(name) == split, name


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("seg_train", "train"),
        ("train_station", "train"),
        ("test_tube", "test"),
        ("eval", "eval"),
        ("holdout", "holdout"),
        ("contest", None),
        ("invalid", None),
        ("trainer", None),
        ("images", None),
        ("", None),
    ],
)
def test_other_names_are_not_sure(name: str, meant: str | None) -> None:
    assert usual_split(name) is None
    assert vague_split(name) == meant


def fill(root: Path, *folders: str) -> str:
    for i, folder in enumerate(folders):
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / f"{i}.png").touch()
    return str(root)


@pytest.mark.parametrize(
    "splits",
    [
        ("Training", "Testing"),
        ("training_set", "test_set"),
        ("train_images", "test_images"),
        ("TRAIN", "VALID", "TEST"),
        ("train", "dev"),
    ],
)
def test_folders_of_splits_are_splits(tmp_path: Path, splits: tuple[str, ...]) -> None:
    below = [f"{split}/{c}" for split in splits for c in ("cat", "dog")]
    examples = read(fill(tmp_path, *below))
    assert examples.class_names == ("cat", "dog")
    assert set(examples.splits) == {usual_split(split) for split in splits}


def test_splits_inside_of_classes_are_splits(tmp_path: Path) -> None:
    below = [f"{c}/{split}" for c in ("cat", "dog") for split in ("Train", "test")]
    examples = read(fill(tmp_path, *below))
    assert examples.class_names == ("cat", "dog")
    assert dict(zip(examples.names, examples.splits)) == {
        "cat/Train/0.png": "train",
        "cat/test/1.png": "test",
        "dog/Train/2.png": "train",
        "dog/test/3.png": "test",
    }
    assert read(str(tmp_path), layout="classes").splits is None
    (tmp_path / "emu").mkdir()
    (tmp_path / "emu/1.png").touch()
    with pytest.raises(DataError, match="splits inside, .* and emu/ without"):
        read(str(tmp_path))


@pytest.mark.parametrize(
    "folders",
    [
        ("seg_train/a", "seg_train/b", "seg_test/a", "seg_test/b"),
        ("train_A/x", "train_A/y", "eval_A/x", "eval_A/y"),
        ("train", "test"),
        ("Training", "Testing", "valid"),
        ("trainA", "trainB", "testA", "testB"),
    ],
)
def test_what_may_be_splits_is_asked_about(
    tmp_path: Path, folders: tuple[str, ...]
) -> None:
    with pytest.raises(
        DataError,
        match="are these splits, or classes.*train, validation and test.*"
        "layout=classes",
    ):
        read(fill(tmp_path, *folders))
    names = {folder.partition("/")[0] for folder in folders}
    ref = DatasetRef.parse(f"dir:{tmp_path}?layout=classes")
    assert set(read_any(ref).class_names) == names


@pytest.mark.parametrize(
    "folders",
    [
        ("train_station", "test_tube", "bridge"),
        ("train", "test", "bus"),
        ("train_station/old", "train_station/new", "bridge"),
        ("valid", "invalid"),
        ("images", "photos"),
    ],
)
def test_classes_with_such_names_stay_classes(
    tmp_path: Path, folders: tuple[str, ...]
) -> None:
    examples = read(fill(tmp_path, *folders))
    assert set(examples.class_names) == {name.partition("/")[0] for name in folders}
    assert examples.splits is None


def test_every_reader_knows_the_usual_names(tmp_path: Path) -> None:
    said = ["Train ", "training_set", "VALID", "Testing"]
    x = np.array([f"words {i}" for i in range(4)])
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(4) % 2, split=np.array(said))
    wanted = ("train", "train", "validation", "test")
    assert read_any(DatasetRef("npz", str(tmp_path / "a.npz"))).splits == wanted
    rows = "".join(f"{x[i]},{i % 2},{said[i]}\n" for i in range(4))
    (tmp_path / "a.csv").write_text(f"text,label,part\n{rows}")
    ref = DatasetRef("csv", str(tmp_path / "a.csv"), split="part")
    assert read_any(ref).splits == wanted
    (tmp_path / "a.csv").write_text(f"text,label,part\n{rows}more,1,fold 3\n")
    with pytest.raises(DataError, match="line 6 .*'fold 3'. Allowed: test, train, va"):
        read_any(ref)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("dir:p?layout=class", "layout='class' is unknown.*Did you mean 'classes'"),
        ("npz:p?layout=classes", "works with 'dir:' and 'tfds:', not with 'npz:'"),
    ],
)
def test_other_layouts_are_refused(reference: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        DatasetRef.parse(reference)
