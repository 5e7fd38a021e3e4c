"""`duplicates=drop`: what test or validation holds leaves training, and is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.audit.audit import audit
from pipelines.data.load import load, load_part
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError

SPLITS = ("train", "validation", "test")


@pytest.fixture
def shared(tmp_path: Path) -> str:
    """Sixty images; the first three are in test and in another split too."""
    x = np.random.default_rng(0).integers(0, 256, (66, 6, 6), dtype=np.uint8)
    split = np.array(["train"] * 40 + ["validation"] * 12 + ["test"] * 14)
    x[[0, 1, 40]] = x[[52, 53, 54]]  # in train, train and validation
    x[2] = x[41]  # in train and validation
    x[4] = x[5]  # twice in train
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(66) % 2, split=split)
    return f"npz:{tmp_path / 'x.npz'}"


def test_the_refusal_names_the_option(shared: str) -> None:
    with pytest.raises(DataError, match=r"4 times: .*add duplicates=drop"):
        load(DatasetRef.parse(shared))


def test_copies_leave_what_is_trained_on(
    shared: str, caplog: pytest.LogCaptureFixture
) -> None:
    splits = load(DatasetRef.parse(f"{shared}?duplicates=drop"))
    assert [len(getattr(splits, name)) for name in SPLITS] == [37, 11, 14]
    assert splits.info.skipped == (
        ("image 0", "in train, and the same in test"),
        ("image 1", "in train, and the same in test"),
        ("image 2", "in train, and the same in validation"),
        ("image 40", "in validation, and the same in test"),
    )
    assert splits.info.copies == 1
    (note,) = splits.info.notes
    assert note.startswith("4 examples were left out, as duplicates=drop says")
    assert note in caplog.messages
    groups = {name: set(getattr(splits, name).groups) for name in SPLITS}
    assert not groups["train"] & groups["test"]
    assert not groups["train"] & groups["validation"]
    assert not groups["validation"] & groups["test"]


def test_evaluation_sees_the_same_test_split(shared: str) -> None:
    ref = DatasetRef.parse(f"{shared}?duplicates=drop")
    splits = load(ref)
    part, _ = load_part(ref, "auto", trained_on=splits.info.fingerprint)
    assert part.name == "test"
    assert (part.inputs.pixels == splits.test.inputs.pixels).all()


def test_the_check_follows_the_option(shared: str) -> None:
    assert not audit(DatasetRef.parse(shared)).is_fit_to_train
    found = audit(DatasetRef.parse(f"{shared}?duplicates=drop"))
    assert found.is_fit_to_train
    assert any(
        one.problem == "the same content in two splits" for one in found.findings
    )


def test_without_given_splits_nothing_changes(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (30, 6, 6), dtype=np.uint8)
    x[1] = x[0]
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(30) // 2 % 2)
    plain, dropping = (
        load(DatasetRef.parse(f"npz:{tmp_path}/x.npz{option}"))
        for option in ("", "?duplicates=drop")
    )
    assert dropping.info.fingerprints == plain.info.fingerprints
    assert dropping.info.skipped == ()


def test_the_option_is_checked_and_written_back() -> None:
    with pytest.raises(DataError, match="duplicates='dorp' is unknown.*mean 'drop'"):
        DatasetRef.parse("npz:x?duplicates=dorp")
    assert str(DatasetRef.parse("npz:x?duplicates=drop")) == "npz:x?duplicates=drop"
