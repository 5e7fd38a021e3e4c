"""`on_bad=skip` leaves bad files out and counts them; what breaks later is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.data.checks.changed_files import broken_files_named
from pipelines.data.input.batches import batches
from pipelines.data.load import load, load_part
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """20 images in each of two classes."""
    rng = np.random.default_rng(0)
    for i in range(40):
        path = tmp_path / "photos" / "ab"[i % 2] / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def reference(photos: Path, options: str) -> DatasetRef:
    return DatasetRef.parse(f"dir:{photos}{options}")


def test_bad_files_fail_and_the_message_says_how_to_skip(photos: Path) -> None:
    assert len(load(reference(photos, "")).train) == 28
    cut(photos / "a" / "02.png")
    with pytest.raises(DataError, match=r"a/02\.png: cut-short(.|\n)*add on_bad=skip"):
        load(reference(photos, ""))


def test_skipped_files_are_left_out_and_counted(photos: Path) -> None:
    whole = load(reference(photos, "?on_bad=skip"))
    assert whole.info.skipped == ()
    cut(photos / "a" / "02.png")
    (photos / "b" / "05.png").write_bytes(b"")
    splits = load(reference(photos, "?on_bad=skip&bad_limit=0.05"))
    assert [name for name, _ in splits.info.skipped] == ["a/02.png", "b/05.png"]
    assert [reason.split(" (")[0] for _, reason in splits.info.skipped] == [
        "cut-short PNG",
        "empty file",
    ]
    parts = (splits.train, splits.validation, splits.test)
    assert sum(map(len, parts)) == 38
    kept = {path for part in parts for path in part.inputs.paths}
    assert not kept & {str(photos / "a" / "02.png"), str(photos / "b" / "05.png")}
    assert splits.info.fingerprint != whole.info.fingerprint
    for name in ("a/02.png", "b/05.png"):
        (photos / name).unlink()
    # As if they had never been there.
    assert load(reference(photos, "")).info.fingerprint == splits.info.fingerprint


def test_more_than_the_limit_fails_and_names_them(photos: Path) -> None:
    cut(photos / "a" / "02.png")
    with pytest.raises(
        DataError, match=r"1 of 40 (.|\n)*a/02\.png(.|\n)*bad_limit=0\.01 of all"
    ):
        load(reference(photos, "?on_bad=skip"))
    load(reference(photos, "?on_bad=skip&bad_limit=0.025"))


def test_evaluation_counts_what_it_saw(photos: Path) -> None:
    cut(photos / "a" / "02.png")
    ref = reference(photos, "?on_bad=skip&bad_limit=0.1")
    whole, _ = load_part(ref, "all", trained_on="")
    assert len(whole) == len(whole.labels) == 39
    trained_on = load(ref).info.fingerprint
    test, _ = load_part(ref, "auto", trained_on=trained_on)
    assert test.inputs == load(ref).test.inputs


def test_a_class_of_bad_files_only_is_an_error(photos: Path) -> None:
    for path in (photos / "a").iterdir():
        cut(path)
    with pytest.raises(DataError, match="class 'a' has 0 independent images"):
        load(reference(photos, "?on_bad=skip&bad_limit=1"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("?on_bad=ignore", "on_bad='ignore' is unknown.*fail.*skip"),
        ("?on_bad=skip&bad_limit=2", r"bad_limit=2\.0 is out of range"),
    ],
)
def test_other_values_are_refused(photos: Path, options: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        reference(photos, options)


def test_a_reference_writes_itself_back() -> None:
    text = "dir:photos?on_bad=skip&bad_limit=0.05"
    assert str(DatasetRef.parse(text)) == text
    assert str(DatasetRef.parse("dir:photos?on_bad=fail")) == "dir:photos"


@pytest.mark.parametrize("break_it", [cut, Path.unlink], ids=["cut", "vanished"])
def test_a_file_that_breaks_after_the_check_is_named(photos: Path, break_it) -> None:
    split = load(reference(photos, "")).train
    stream = batches(split, input_size_px=8, batch_size=28)
    with broken_files_named(split):
        assert len(list(stream)) == 1
    break_it(Path(split.inputs.paths[3]))
    with (
        pytest.raises(
            DataError,
            match=rf"of the train split(.|\n)*1 of 28(.|\n)*"
            rf"{split.inputs.paths[3]}: (cut-short|empty|cannot be read)",
        ),
        broken_files_named(split),
    ):
        list(stream)


def test_an_error_that_is_not_of_files_stays_as_it_is(photos: Path) -> None:
    split = load(reference(photos, "")).train
    with pytest.raises(tf.errors.UnimplementedError), broken_files_named(split):
        raise tf.errors.UnimplementedError(None, None, "another thing")
