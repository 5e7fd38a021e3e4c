"""Precision, recall and F1 of each class, worst first."""

from __future__ import annotations

from typing import Any

from pipelines.display.html import Cell, Table
from pipelines.report.run_files import RunFiles

# Rows that show at once; the others unfold.
_SHOWN = 20
# Nobody reads a table of 10,000 rows, and it is megabytes.
_MOST = 1000


def classes(run: RunFiles) -> dict[str, Any]:
    """Worst first, by F1 on test; classes without a test example come last."""
    report = run.report
    test, counts = report["test"]["per_class"], report["data"]["counts"]
    order = sorted(
        report["class_names"],
        key=lambda name: (test[name]["examples"] == 0, test[name]["f1"]),
    )
    header = (
        *("class", "precision", "recall", "F1"),
        *(f"examples, {split}" for split in counts),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            *(float(test[name][score]) for score in ("precision", "recall", "f1")),
            *(sizes.get(name, 0) for sizes in counts.values()),
        )
        for name in order
    ]
    return {
        "worst": Table("Worst first, on test", header, rows[:_SHOWN]),
        "others": Table("Better classes, on test", header, rows[_SHOWN:_MOST]),
        "more": len(rows[_MOST:]),
    }
