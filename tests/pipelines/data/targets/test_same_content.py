"""Images in several class folders have several labels, whatever puts them there."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.data.load import load_part, read
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError

CLASSES = ("dark", "red", "round")


def put(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight images: one in all three classes by a link and a copy, others in one."""
    first = put(tmp_path / "dark" / "0.png", 0)
    for i in range(1, 8):
        put(tmp_path / CLASSES[i % 3] / f"{i}.png", i)
    (tmp_path / "red" / "link.png").symlink_to(first)
    (tmp_path / "round" / "copy.png").write_bytes(first.read_bytes())
    (tmp_path / "round" / "hard.png").hardlink_to(tmp_path / "red" / "1.png")
    return tmp_path


def test_links_and_copies_are_one_example(folder: Path):
    examples = read(DatasetRef.parse(f"dir:{folder}"), "multi_label")
    assert (len(examples), examples.class_names) == (8, CLASSES)
    labels = dict(zip(examples.names, examples.labels.tolist()))
    assert labels["dark/0.png"] == [1, 1, 1]
    assert labels["red/1.png"] == [0, 1, 1]
    assert sum(map(sum, labels.values())) == 11
    assert any("3 files are links to or copies" in note for note in examples.notes)


def test_limits_take_no_label_away(folder: Path):
    ref = DatasetRef.parse(f"dir:{folder}?limit=7")
    split, _ = load_part(ref, "all", trained_on=(), problem="multi_label")
    by_name = dict(zip(split.names, split.labels.sum(axis=1).tolist()))
    assert by_name.get("dark/0.png", 3) == 3
    assert by_name.get("red/1.png", 2) == 2


def test_broken_links_are_named_when_images_are_checked(folder: Path):
    (folder / "red" / "gone.png").symlink_to("nowhere")
    ref = DatasetRef.parse(f"dir:{folder}")
    assert len(read(ref, "multi_label")) == 9
    with pytest.raises(DataError, match="red/gone.png"):
        load_part(ref, "all", trained_on=(), problem="multi_label")


def test_one_image_in_two_groups_is_refused(folder: Path):
    ref = DatasetRef.parse(f"dir:{folder}?group=(link|copy|hard|[0-9])")
    with pytest.raises(DataError, match="same content.*the same group in every folder"):
        read(ref, "multi_label")


def test_folders_without_shared_images_are_single_label(tmp_path: Path):
    for i in range(6):
        put(tmp_path / CLASSES[i % 3] / f"{i}.png", i)
    (tmp_path / "dark" / "again.png").symlink_to(tmp_path / "dark" / "0.png")
    with pytest.raises(DataError, match="'single_label' fits.*put links"):
        read(DatasetRef.parse(f"dir:{tmp_path}"), "multi_label")


def test_splits_of_a_folder_are_kept_apart(tmp_path: Path):
    for split, seed in (("train", 0), ("test", 10)):
        for i, name in enumerate(CLASSES):
            put(tmp_path / split / name / f"{i}.png", seed + i)
        link = tmp_path / split / "dark" / "link.png"
        link.symlink_to(tmp_path / split / "red" / "1.png")
    examples = read(DatasetRef.parse(f"dir:{tmp_path}"), "multi_label")
    assert len(examples) == 6
    assert sorted(examples.labels.sum(axis=1).tolist()) == [1, 1, 1, 1, 2, 2]
    assert sorted(examples.splits) == ["test"] * 3 + ["train"] * 3
