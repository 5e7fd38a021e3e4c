"""Folders of finished runs without training: what a comparison reads of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.report.predictions import FILE_NAME, PredictionRow, lines


def rows(
    answers: Sequence[tuple[str, str, str, float]], split: str = "test"
) -> list[PredictionRow]:
    """Rows from a name, a label, an answer and its confidence each; of two classes."""
    return [
        PredictionRow(
            split=split,
            example=name,
            label=label,
            predicted=predicted,
            confidence=confidence,
            accepted=True,
            ood_score=0.5,
            probabilities={predicted: confidence}
            | ({} if label == predicted else {label: 1 - confidence}),
        )
        for name, label, predicted, confidence in answers
    ]


def finished(
    folder: Path,
    answers: Sequence[tuple[str, str, str, float]],
    *,
    data: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
) -> Path:
    """The folder of a run with these answers on test; see `rows`."""
    folder.mkdir(parents=True)
    report = {
        "data": {"fingerprint": "same", "reference": "dir:photos"} | (data or {}),
        "backbone": {"name": "tiny_image"},
        "plan": {"action": "head_only"},
        "seconds": {"total": 12.5},
        "test": {"examples": len(answers)},
    }
    (folder / "report.json").write_text(json.dumps(report))
    fields = {"seed": 0, "workdir": str(folder), **(config or {})}
    (folder / "config.json").write_text(json.dumps(fields))
    kept = rows([("v.jpg", "a", "b", 0.6)], "validation") + rows(answers)
    (folder / FILE_NAME).write_bytes(b"".join(lines(kept)))
    return folder
