"""Calibration: reliability before and after, coverage, and the tables of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.display.html import Cell, Table
from pipelines.report.plots.confidence import (
    at_threshold,
    coverage_plot,
    reliability_diagram,
)
from pipelines.report.run_files import RunFiles

_COLOURS = {"before": "orange", "after": "blue"}
_SPLITS = ("test", "validation")


def calibration(run: RunFiles) -> dict[str, Any]:
    """The plots of test, sentences where one is missing, and the tables."""
    report = run.report["calibration"]
    # Reports of older versions have no curves.
    curves = report["test"].get("curves")
    threshold = report["thresholds"]["confidence"]
    return {
        "reason": report["reason"],
        "has_curves": curves is not None,
        "has_reliability": bool(curves and curves["after"]),
        "reliability": [
            reliability_diagram(
                curves[when],
                when=f"{when} calibration",
                error=report["test"][when]["calibration_error"],
                colour=colour,
            )
            for when, colour in _COLOURS.items()
            if curves and curves[when]
        ],
        "coverage": coverage_plot(curves["coverage"], threshold) if curves else None,
        "bins": _bins(curves) if curves else None,
        "points": _points(curves, threshold) if curves else None,
        "tables": [_probabilities(report), _accepted(report), *_limits(report)],
    }


def _bins(curves: Mapping[str, Any]) -> Table:
    return Table(
        "Reliability in bins of examples, on test",
        ("probabilities", "mean confidence", "accuracy", "examples"),
        [
            (when, point["confidence"], point["accuracy"], point["examples"])
            for when in _COLOURS
            for point in curves[when]
        ],
    )


def _points(curves: Mapping[str, Any], threshold: float) -> Table:
    chosen = at_threshold(curves["coverage"], threshold)
    some = curves["coverage"][:: max(1, len(curves["coverage"]) // 20)]
    rows = [("all", curves["coverage"][-1])]
    rows += [("chosen threshold", chosen)] if chosen else []
    rows += [("most confident", point) for point in some]
    return Table(
        "Accuracy by coverage, on test",
        ("examples", "confidence at least", "coverage", "accuracy"),
        [
            (
                name,
                *(float(point[key]) for key in ("threshold", "coverage", "accuracy")),
            )
            for name, point in rows
        ],
    )


def _probabilities(report: Mapping[str, Any]) -> Table:
    measures = ("accuracy", "calibration_error", "brier_score", "log_loss")
    rows: list[tuple[Cell, ...]] = [
        (f"{split}, {when}", *(float(report[split][when][name]) for name in measures))
        for split in _SPLITS
        for when in _COLOURS
    ]
    return Table(
        f"Probabilities, method {report['method']}, temperature"
        f" {report['temperature']:.4g}",
        ("split", *(name.replace("_", " ") for name in measures)),
        rows,
    )


def _accepted(report: Mapping[str, Any]) -> Table:
    shares = ("accepted", "confident", "in_distribution", "accuracy_of_accepted")
    return Table(
        "Shares that the artifact accepts",
        ("split", *(name.replace("_", " ") for name in shares)),
        [(split, *(report[split][name] for name in shares)) for split in _SPLITS],
    )


def _limits(report: Mapping[str, Any]) -> tuple[Table, Table]:
    sets = [
        (f"{level['level']:g}", level["coverage"], level["mean_size"])
        for level in report["test"]["prediction_sets"]
    ]
    return (
        Table("Thresholds", ("of", "value"), list(report["thresholds"].items())),
        Table(
            "Prediction sets, on test",
            ("level", "holds the right class", "mean size"),
            sets,
        ),
    )
