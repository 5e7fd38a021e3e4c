"""From a reference to splits, with real files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.data.load import load, load_part
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Split, Splits
from pipelines.errors import DataError


def save_image(path: Path, *, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty cats and ten dogs."""
    root = tmp_path / "photos"
    for i in range(30):
        name = "cat" if i < 20 else "dog"
        save_image(root / name / f"{i}.{'png' if i % 2 else 'jpg'}", seed=i)
    return root


def read(root: Path, options: str = "") -> Splits:
    return load(DatasetRef.parse(f"dir:{root}{options}"))


def names(part: Split) -> list[str]:
    return [Path(path).name for path in part.inputs.paths]


def all_names(splits: Splits) -> list[list[str]]:
    return [names(part) for part in (splits.train, splits.validation, splits.test)]


def test_a_folder_becomes_three_splits(photos: Path) -> None:
    splits = read(photos)
    assert splits.info.class_names == ("cat", "dog")
    assert splits.info.counts == {
        "train": {"cat": 14, "dog": 6},
        "validation": {"cat": 3, "dog": 2},
        "test": {"cat": 3, "dog": 2},
    }
    assert len({name for part in all_names(splits) for name in part}) == 30
    for path, label in zip(splits.train.inputs.paths, splits.train.labels):
        assert Path(path).parent.name == splits.info.class_names[label]
    assert splits.info.reference == f"dir:{photos}"


def test_load_depends_on_seed_and_content_only(photos: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else where"
    for path in sorted(photos.rglob("*.*"), reverse=True):  # another order on disk
        target = elsewhere / path.relative_to(photos)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    here, there, other = read(photos), read(elsewhere), read(photos, "?seed=1")
    assert all_names(here) == all_names(there)
    assert here.info.fingerprint == there.info.fingerprint == other.info.fingerprint
    assert all_names(here) != all_names(other)


def test_the_fingerprint_sees_content_and_class(photos: Path) -> None:
    before = read(photos).info.fingerprint
    (photos / "cat/0.jpg").rename(photos / "cat/renamed.jpg")
    assert read(photos).info.fingerprint == before
    shutil.move(photos / "cat/renamed.jpg", photos / "dog/renamed.jpg")
    moved = read(photos).info.fingerprint
    assert moved != before
    save_image(photos / "dog/renamed.jpg", seed=99)
    assert read(photos).info.fingerprint not in (before, moved)


def test_copies_of_a_file_end_in_one_split(photos: Path) -> None:
    for i in (1, 3, 5, 7):
        shutil.copy(photos / f"cat/{i}.png", photos / f"cat/copy of {i}.png")
    for seed in range(8):
        for part in all_names(read(photos, f"?seed={seed}")):
            for i in (1, 3, 5, 7):
                assert (f"{i}.png" in part) == (f"copy of {i}.png" in part)


def test_groups_end_in_one_split(tmp_path: Path) -> None:
    for i in range(48):
        save_image(tmp_path / "ab"[i % 2] / f"p{i // 4}_{i}.png", seed=i)
    splits = read(tmp_path, "?group=^(p[0-9]+)_")
    patients = [{name.split("_")[0] for name in part} for part in all_names(splits)]
    assert all(patients)
    assert sum(len(part) for part in patients) == 12


def test_given_splits_that_share_content_are_refused(tmp_path: Path) -> None:
    for i in range(20):
        part = "train" if i < 12 else "test"
        save_image(tmp_path / part / "ab"[i % 2] / f"{i}.png", seed=i)
    splits = read(tmp_path)
    assert len(splits.test) == 8
    assert len(splits.validation) == 2  # carved from train
    shutil.copy(tmp_path / "train/a/0.png", tmp_path / "test/a/same.png")
    expected = "1 times: test 'test/a/same.png' = train 'train/a/0.png'"
    with pytest.raises(DataError, match=expected):
        read(tmp_path)


def test_a_corrupt_image_is_named(photos: Path) -> None:
    path = photos / "dog/21.png"
    content = path.read_bytes()
    path.write_bytes(content[:100])
    with pytest.raises(
        DataError, match=f"1 of 30 image files .*\n  {path}: cut-short PNG"
    ):
        read(photos)
    path.write_bytes(content)
    assert len(read(photos).train) == 20


def test_one_class_is_refused(photos: Path) -> None:
    shutil.move(photos / "dog", photos.parent / "dog")
    with pytest.raises(DataError, match=r"has 1 class \(cat\); .*at least two"):
        read(photos)
    shutil.move(photos.parent / "dog", photos / "dog")
    assert len(read(photos).info.class_names) == 2


def test_a_class_with_one_image_is_refused(photos: Path) -> None:
    save_image(photos / "emu/1.png", seed=100)
    with pytest.raises(
        DataError, match="class 'emu' has 1 independent image. Each cla"
    ):
        read(photos)
    for seed in (101, 102):
        save_image(photos / f"emu/{seed}.png", seed=seed)
    counts = read(photos).info.counts
    assert [counts[name]["emu"] for name in counts] == [1, 1, 1]


def test_empty_class_of_an_npz_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "data.npz"
    x = rng.integers(0, 256, (20, 4, 4), dtype=np.uint8)
    np.savez(path, x=x, y=np.arange(20) % 2, class_names=["a", "b", "c"])
    ref = DatasetRef("npz", str(path))
    with pytest.raises(DataError, match="Class 'c' has no image"):
        load(ref)
    np.savez(path, x=x, y=np.arange(20) % 2, class_names=["a", "b"])
    assert load(ref).info.class_names == ("a", "b")


def test_class_name_not_printable_is_refused(photos: Path) -> None:
    (photos / "dog").rename(photos / "do\ng")
    with pytest.raises(DataError, match=r"class name 'do\\ng' has characters"):
        read(photos)
    (photos / "do\ng").rename(photos / "chien méchant")
    assert read(photos).info.class_names == ("cat", "chien méchant")


def test_a_limit_reads_only_what_it_keeps(photos: Path) -> None:
    seen: list[tuple[int, int]] = []
    ref = DatasetRef("dir", str(photos), limit=15)
    splits = load(ref, on_progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (15, 15)
    assert sum(sum(part.values()) for part in splits.info.counts.values()) == 15
    with pytest.raises(DataError, match="class 'dog' has 2 .*raise limit=6"):
        read(photos, "?limit=6")


def test_the_builtin_digits_are_split() -> None:
    splits = load(DatasetRef.parse("builtin:digits?limit=200"))
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 200
    assert splits.train.inputs.pixels.shape[1:] == (8, 8, 3)
    assert len(splits.info.class_names) == 10


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """20 images in each of two classes."""
    root = tmp_path / "pairs"
    for i in range(40):
        save_image(root / "ab"[i % 2] / f"{i:02}.png", seed=i)
    return root


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def reference(pairs: Path, options: str) -> DatasetRef:
    return DatasetRef.parse(f"dir:{pairs}{options}")


def test_bad_files_fail_with_advice_to_skip(pairs: Path) -> None:
    assert len(load(reference(pairs, "")).train) == 28
    cut(pairs / "a" / "02.png")
    with pytest.raises(DataError, match=r"a/02\.png: cut-short(.|\n)*add on_bad=skip"):
        load(reference(pairs, ""))


def test_skipped_files_are_left_out_and_counted(pairs: Path) -> None:
    whole = load(reference(pairs, "?on_bad=skip"))
    assert whole.info.skipped == ()
    cut(pairs / "a" / "02.png")
    (pairs / "b" / "05.png").write_bytes(b"")
    splits = load(reference(pairs, "?on_bad=skip&bad_limit=0.05"))
    assert [name for name, _ in splits.info.skipped] == ["a/02.png", "b/05.png"]
    assert [reason.split(" (")[0] for _, reason in splits.info.skipped] == [
        "cut-short PNG",
        "empty file",
    ]
    parts = (splits.train, splits.validation, splits.test)
    assert sum(map(len, parts)) == 38
    kept = {path for part in parts for path in part.inputs.paths}
    assert not kept & {str(pairs / "a" / "02.png"), str(pairs / "b" / "05.png")}
    assert splits.info.fingerprint != whole.info.fingerprint
    for name in ("a/02.png", "b/05.png"):
        (pairs / name).unlink()
    # As if they had never been there.
    assert load(reference(pairs, "")).info.fingerprint == splits.info.fingerprint


def test_more_than_the_limit_fails_and_names_them(pairs: Path) -> None:
    cut(pairs / "a" / "02.png")
    with pytest.raises(
        DataError, match=r"1 of 40 (.|\n)*a/02\.png(.|\n)*bad_limit=0\.01 of all"
    ):
        load(reference(pairs, "?on_bad=skip"))
    load(reference(pairs, "?on_bad=skip&bad_limit=0.025"))


def test_evaluation_counts_what_it_saw(pairs: Path) -> None:
    cut(pairs / "a" / "02.png")
    ref = reference(pairs, "?on_bad=skip&bad_limit=0.1")
    whole, _ = load_part(ref, "all", trained_on="")
    assert len(whole) == len(whole.labels) == 39
    trained_on = load(ref).info.fingerprint
    test, _ = load_part(ref, "auto", trained_on=trained_on)
    assert test.inputs == load(ref).test.inputs


def test_class_of_only_bad_files_is_refused(pairs: Path) -> None:
    for path in (pairs / "a").iterdir():
        cut(path)
    with pytest.raises(DataError, match="class 'a' has 0 independent images"):
        load(reference(pairs, "?on_bad=skip&bad_limit=1"))
