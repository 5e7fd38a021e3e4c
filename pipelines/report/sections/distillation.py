"""The teacher of a run, and what it answered for the training examples."""

from __future__ import annotations

from typing import Any

from pipelines.display.html import Table
from pipelines.report.run_files import RunFiles

_ROWS = (
    ("examples of training that it answered", "examples"),
    ("more examples, without labels", "unlabelled"),
    ("its accuracy on training, which it has learned itself", "training_accuracy"),
    ("its mean confidence there", "mean_confidence"),
    ("temperature of both networks in the loss", "temperature"),
    ("share of the teacher in the loss", "weight"),
)


def distillation(run: RunFiles) -> dict[str, Any] | None:
    """A sentence and a table; None where the run had no teacher."""
    record = run.report.get("distillation")
    if not record:
        return None
    return {
        "sentence": f"Beside its labels this run learned the calibrated answers of"
        f" {record['teacher']} ({record['backbone']}).",
        "table": Table(
            "Teacher", ("", ""), [(title, record[key]) for title, key in _ROWS]
        ),
    }
