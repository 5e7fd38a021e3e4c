"""The command lists labels that are probably wrong, of every kind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.audit.label_errors import PROBLEM
from pipelines.cli import main
from pipelines.data.readers.builtin import read


def ink(tmp_path: Path, name: str, labels: np.ndarray) -> str:
    """Digits with these labels as a reference."""
    pixels = read("digits").inputs.pixels[: len(labels)]
    np.savez(tmp_path / f"{name}.npz", x=pixels, y=labels)
    return f"npz:{tmp_path}/{name}.npz"


def listed(capsys: pytest.CaptureFixture[str], *command: str) -> list[str]:
    """What the finding on labels is about."""
    quick = ("--labels", "--backbone", "tiny_image", "--json")
    assert main(["check", *command, *quick]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    return [
        about for row in findings if row["what"] == PROBLEM for about in row["about"]
    ]


def test_numbers_and_labels_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digit = read("digits").labels[:120]
    numbers = digit.astype(np.float32)
    numbers[7] = 900
    reference = ink(tmp_path, "numbers", numbers)
    about = listed(capsys, reference, "--problem", "regression")
    assert about[0].startswith("image 7: given 900, looks like ")
    labels = np.stack([digit % 2, digit == 0], axis=1)
    about = listed(capsys, ink(tmp_path, "labels", labels))
    assert all(": given " in row and ", looks like " in row for row in about)


def test_labels_of_normal_examples_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = ink(tmp_path, "normal", np.array(["normal"] * 20))
    command = ["check", reference, "--labels", "--problem", "anomaly"]
    assert main(command) == 3
    assert "is read for 'anomaly'" in capsys.readouterr().err


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
