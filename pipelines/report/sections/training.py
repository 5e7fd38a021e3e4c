"""Training: learning curves, phases, the receipt of what moved, and every epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.display.html import Table
from pipelines.report.plots.learning import learning_curve
from pipelines.report.run_files import RunFiles


def training(run: RunFiles) -> dict[str, Any]:
    """The plots and tables of training; without an epoch there are no curves."""
    report, history = run.report, run.history
    return {
        "curves": [learning_curve(history, name) for name in _measures(history)],
        "phases": _phases(report["phases"]) if report["phases"] else None,
        "folds": _folds(report.get("folds")),
        "skipped": report["phases_skipped"],
        "receipts": [
            _receipt(phase, changes) for phase, changes in report["receipt"].items()
        ],
        "epochs": _epochs(history) if history else None,
    }


def _measures(history: Sequence[Mapping[str, Any]]) -> list[str]:
    names = {name.removeprefix("val_") for row in history for name in row}
    return [name for name in ("loss", "accuracy") if name in names]


def _phases(phases: Sequence[Mapping[str, Any]]) -> Table:
    header = (
        *("phase", "kept", "validation before", "after", "standard error of the gain"),
        *("learning rate", "best epoch", "seconds"),
    )
    rows = [
        (
            phase["name"],
            _kept(phase),
            phase["accuracy_before"],
            phase["accuracy_after"],
            phase["gain_standard_error"],
            f"{phase['learning_rate']:g}",
            phase["best_epoch"],
            f"{phase['seconds']:.1f}",
        )
        for phase in phases
    ]
    return Table("Phases", header, rows)


def _folds(scores: Mapping[str, Any] | None) -> tuple[str, Table] | None:
    """A sentence on the spread of folds, and their table; None without folds."""
    if not scores:
        return None
    sentence = (
        f"{scores['count']} folds: {scores['metric']} {scores['mean']:.4f} on average,"
        f" with a standard deviation of {scores['standard_deviation']:.4f}; each was"
        " answered by a model of the others."
    )
    rows = [
        (f"{number}", value, examples)
        for number, (value, examples) in enumerate(
            zip(scores["per_fold"], scores["examples"], strict=True), start=1
        )
    ]
    return sentence, Table("Folds", ("fold", scores["metric"], "examples"), rows)


def _kept(phase: Mapping[str, Any]) -> str:
    if not phase["kept"]:
        return "no, it gained nothing"
    return "yes" if phase["blend"] == 1 else f"blended, {phase['blend']:.0%}"


def _receipt(phase: str, changes: Sequence[Mapping[str, Any]]) -> tuple[str, Table]:
    """A sentence on the changes of a phase, and the table of them."""
    frozen = [part for part in changes if not part["trainable"]]
    moved = [part["block"] for part in frozen if part["largest_change"]]
    if moved:
        sentence = f"{', '.join(moved)} moved though frozen"
    elif frozen:
        sentence = (
            f"{len(frozen)} of {len(changes)} parts were frozen and moved by exactly 0"
        )
    else:
        sentence = "nothing was frozen"
    header = ("block", "state", "relative change", "largest change", "of statistics")
    rows = [
        (
            part["block"],
            "trained" if part["trainable"] else "frozen",
            f"{part['relative_change']:.3g}",
            f"{part['largest_change']:.3g}",
            f"{part['statistics_change']:.3g}",
        )
        for part in changes
    ]
    return f"Receipt of {phase}: {sentence}", Table(f"Changes in {phase}", header, rows)


def _epochs(history: Sequence[Mapping[str, Any]]) -> Table:
    names = list(dict.fromkeys(name for line in history for name in line))
    rows = [[line.get(name) for name in names] for line in history]
    return Table("Epochs in order", names, rows)
