"""Wrong labels are found, and sound ones mostly left in peace."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from pipelines.audit.suspects import (
    Suspect,
    suspects_of_classes,
    suspects_of_labels,
    suspects_of_numbers,
)
from pipelines.errors import DataError

NAMES = tuple(str(digit) for digit in range(10))


def digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    pixels, labels = load_digits(return_X_y=True)
    return pixels[:count].astype(np.float32), labels[:count].astype(np.int64)


def flipped(
    labels: np.ndarray, *, share: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Labels with some wrong ones, and the places of these."""
    rng = np.random.default_rng(seed)
    which = rng.choice(len(labels), int(share * len(labels)), replace=False)
    wrong = labels.copy()
    wrong[which] = (wrong[which] + rng.integers(1, 10, len(which))) % 10
    return wrong, which


def found_in(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray | None = None
) -> list[Suspect]:
    each = np.arange(len(labels)) if groups is None else groups
    return suspects_of_classes(features, labels, each, class_names=NAMES)


def test_most_flipped_labels_are_found_and_little_else() -> None:
    features, labels = digits(1000)
    wrong, which = flipped(labels, share=0.03)
    found = found_in(features, wrong)
    hits = [one for one in found if one.example in which]
    assert len(hits) / len(which) >= 0.8  # recall
    assert len(hits) / len(found) >= 0.7  # precision
    right = [one.suggested == NAMES[labels[one.example]] for one in hits]
    assert np.mean(right) >= 0.8
    assert all(one.label == NAMES[wrong[one.example]] for one in found)
    certain = [one.label_probability for one in found]
    assert certain == sorted(certain)
    assert np.mean([one.example in which for one in found[:10]]) >= 0.8


def test_sound_labels_are_left_in_peace() -> None:
    features, labels = digits(1000)
    assert len(found_in(features, labels)) <= 15


def test_suspects_leave_out_whole_groups() -> None:
    """A wrong label that came with ten copies is still found."""
    features, labels = digits(500)
    copies = np.repeat(np.flatnonzero(labels == 3)[:1], 10)
    features = np.concatenate([features, features[copies]])
    wrong = np.concatenate([labels, np.full(10, 8)])
    wrong[copies[0]] = 8
    groups = np.concatenate([np.arange(500), copies])
    found = {one.example for one in found_in(features, wrong, groups)}
    apart = {one.example for one in found_in(features, wrong)}
    members = {int(copies[0]), *range(500, 510)}
    assert len(found & members) >= 10
    assert len(apart & members) <= 2


def test_too_few_examples_are_an_error() -> None:
    features, labels = digits(200)
    few = np.concatenate([np.flatnonzero(labels != 7), np.flatnonzero(labels == 7)[:1]])
    with pytest.raises(DataError, match="two examples that are independent.*'7'"):
        found_in(features[few], labels[few])
    few = np.concatenate([few, np.flatnonzero(labels == 7)[1:2]])
    assert isinstance(found_in(features[few], labels[few]), list)


def test_labels_that_examples_lack_are_found() -> None:
    """Each digit is small or not, and large or not; some have one of these wrong."""
    features, digit = digits(800)
    labels = np.stack([digit < 2, digit >= 8, digit >= 0], axis=1).astype(int)
    wrong, rng = labels.copy(), np.random.default_rng(0)
    which = rng.choice(len(labels), 24, replace=False)
    wrong[which, 0] = 1 - wrong[which, 0]
    suspected = suspects_of_labels(
        features, wrong, np.arange(800), class_names=("small", "large", "any")
    )
    hits = [
        suspect
        for suspect in suspected
        if suspect.example in which and "small" in suspect.label
    ]
    small = [suspect for suspect in suspected if "small" in suspect.label]
    assert len(hits) >= max(0.65 * len(which), 0.4 * len(small))
    assert np.mean([suspect.example in which for suspect in small[:10]]) >= 0.8
    first = suspected[0]
    assert {first.label, first.suggested} == {"small", "no small"}
    assert not any("any" in suspect.label for suspect in suspected)
    certain = [suspect.label_probability for suspect in suspected]
    assert certain == sorted(certain)


def test_numbers_far_from_expected_are_found() -> None:
    features, digit = digits(600)
    ink = features.sum(axis=1, keepdims=True).astype(np.float32)
    both = np.concatenate([ink, digit[:, None].astype(np.float32)], axis=1)
    sound = suspects_of_numbers(
        features, both, np.arange(600), class_names=("ink", "digit")
    )
    assert len(sound) <= 6
    wrong = both.copy()
    wrong[[5, 50], 0] += (400, 1e9)
    suspected = suspects_of_numbers(
        features, wrong, np.arange(600), class_names=("ink", "digit")
    )
    assert [suspect.example for suspect in suspected[:2]] == [50, 5]
    assert suspected[1].label.startswith("ink ")
    assert float(suspected[1].suggested) == pytest.approx(float(ink[5, 0]), abs=60)


def test_too_few_numbers_or_labels_are_errors() -> None:
    features = np.eye(9, dtype=np.float32)
    with pytest.raises(DataError, match="10 that are independent; there are 9"):
        suspects_of_numbers(features, np.ones((9, 1)), np.arange(9), class_names=("y",))
    with pytest.raises(DataError, match="No label of 'a'"):
        suspects_of_labels(
            features, np.ones((9, 1), int), np.arange(9), class_names=("a",)
        )
