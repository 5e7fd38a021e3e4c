"""Flipped labels are found, and sound ones mostly left in peace."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from pipelines.audit.label_errors import PROBLEM, Suspect, suspects
from pipelines.cli import main
from pipelines.data.readers.builtin import read
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
    return suspects(features, labels, each, class_names=NAMES)


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


@pytest.mark.slow
@pytest.mark.weights
def test_the_command_lists_suspects_and_shows_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = read("mnist_5k")
    rows = np.concatenate([np.flatnonzero(data.labels == d)[:30] for d in (0, 1)])
    labels = data.labels[rows].copy()
    labels[[3, 40]] = [1, 0]
    np.savez(tmp_path / "x.npz", x=data.inputs.pixels[rows], y=labels)
    reference, page = f"npz:{tmp_path}/x.npz", tmp_path / "page.html"
    command = ["check", reference, "--labels", "--backbone", "efficientnet_lite0"]
    assert main([*command, "--json", "--report", str(page)]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    (about,) = [one["about"] for one in findings if one["what"] == PROBLEM]
    assert {"image 3: given 1, looks like 0", "image 40: given 0, looks like 1"} <= {
        *about
    }
    assert len(about) <= 5
    assert page.read_text().count("<img") == len(about)
    assert main([*command[:3], "--backbone", "tiny_text"]) == 2
    assert "takes texts" in capsys.readouterr().err
    assert main(["check", reference, "--backbone", "tiny_image"]) == 2
    assert "give both" in capsys.readouterr().err
