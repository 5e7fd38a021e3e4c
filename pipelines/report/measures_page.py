"""The page of a run whose examples do not have one class each: measures by name.

It has the sections of the page of a classifier that do not need classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.display.html import Cell, Table, document
from pipelines.display.text import shown
from pipelines.report.plots.svg import NO_MATPLOTLIB
from pipelines.report.run_files import RunFiles
from pipelines.report.sections.cost import artifact, cost
from pipelines.report.sections.examples import figures
from pipelines.report.sections.plan import plan
from pipelines.report.sections.settings import settings
from pipelines.report.sections.training import training

_SPLITS = ("test", "validation")
_MOST = 1000
_WORST = 20
# Figures of mistakes that show at once; the others unfold.
_SHOWN = 16


def page(run: RunFiles) -> str:
    """The page as HTML, in ASCII.

    Raises:
        KeyError: if a file lacks an entry, because another version wrote it.
    """
    report = run.report
    return document(
        "measures.html",
        title=f"{report['backbone']['name']} on {report['data']['reference']}",
        backbone=report["backbone"]["name"],
        reference=report["data"]["reference"],
        no_plot=NO_MATPLOTLIB,
        measures=_measures(run),
        examples=_examples(run),
        training=training(run),
        plan=plan(run),
        cost=cost(run),
        artifact=artifact(run),
        settings=settings(run),
    )


def _measures(run: RunFiles) -> dict[str, Any]:
    report = run.report
    test = report["test"]
    name = report["headline"][0]
    simple = [
        (f"{key.replace('_', ' ')}, without a network", value)
        for key, value in report["baselines"].items()
    ]
    compared = report.get("simple_models") or {"models": {}}
    simple += [
        (f"{key.replace('_', ' ')}, on test", values["test"])
        for key, values in compared["models"].items()
        if key != "network"
    ]
    numbers = [key for key, value in test.items() if isinstance(value, (int, float))]
    rows: list[tuple[Cell, ...]] = [
        (key.replace("_", " "), *(report[split][key] for split in _SPLITS))
        for key in numbers
    ]
    return {
        "name": name.replace("_", " "),
        "value": f"{test[name]:.4g}",
        "sentence": f"on {test['examples']} test examples; {report['problem']}.",
        "table": Table("Every example counted once", ("measure", *_SPLITS), rows),
        "simple": Table("To compare with", ("baseline", name), simple),
        "parts": _parts(report),
        "worst": _worst(run),
        "reason": report["calibration"]["reason"],
        "levels": _levels(report["calibration"]["test"]),
    }


def _examples(run: RunFiles) -> dict[str, Any] | None:
    """The figures of the worst and the best answers; None without a gallery."""
    if run.gallery is None or not run.gallery.examples:
        return None
    mistakes, best = (run.gallery.having(role) for role in ("mistake", "typical"))
    return {
        "is_of_numbers": bool(run.answers) and "values" in run.answers[0],
        "mistakes": figures(run, mistakes[:_SHOWN]),
        "more_mistakes": figures(run, mistakes[_SHOWN:]),
        "best": figures(run, best),
        "lost": sum(example.lost for example in run.gallery.examples),
    }


def _parts(report: Mapping[str, Any]) -> Table:
    """The measures of each label or target, on test."""
    (per,) = (value for key, value in report["test"].items() if key.startswith("per_"))
    header = list(next(iter(per.values())))
    rows: list[tuple[Cell, ...]] = [
        (name, *(values[key] for key in header)) for name, values in per.items()
    ]
    words = [key.replace("_", " ") for key in header]
    return Table("One by one, on test", ("name", *words), rows[:_MOST])


def _worst(run: RunFiles) -> Table | None:
    """The test examples with the largest errors, or the surest wrong labels."""
    rows = [row for row in run.answers if row["split"] == "test"]
    if not rows:
        return None
    if "anomaly_score" in rows[0]:
        return _worst_anomalies(rows)
    return _worst_numbers(rows) if "values" in rows[0] else _worst_labels(rows)


def _worst_labels(rows: Sequence[Mapping[str, Any]]) -> Table:
    wrong = [row for row in rows if set(row["labels"]) != set(row["predicted"])]
    wrong.sort(key=lambda row: -row["confidence"])
    cells: list[tuple[Cell, ...]] = [
        (
            shown(row["example"]),
            " | ".join(row["labels"]) or "(no label)",
            " | ".join(row["predicted"]) or "(no label)",
            row["confidence"],
        )
        for row in wrong[:_WORST]
    ]
    header = ("example", "labels", "predicted", "confidence")
    return Table("Wrong and surest, on test", header, cells)


def _worst_anomalies(rows: Sequence[Mapping[str, Any]]) -> Table:
    """False alarms with the highest scores, and misses with the lowest."""
    alarms = [row for row in rows if row["anomalous"] and row["label"] == "normal"]
    misses = [row for row in rows if not row["anomalous"] and row["label"] != "normal"]
    alarms.sort(key=lambda row: -row["anomaly_score"])
    misses.sort(key=lambda row: row["anomaly_score"])
    cells: list[tuple[Cell, ...]] = [
        (shown(row["example"]), row["label"], row["anomaly_score"], row["p_value"])
        for row in [*alarms[:_WORST], *misses[:_WORST]]
    ]
    header = ("example", "kind", "score", "p value")
    return Table("False alarms and misses, on test", header, cells)


def _worst_numbers(rows: Sequence[Mapping[str, Any]]) -> Table:
    # By intervals: targets may have different units.
    errors = [
        (abs(value - row["predicted"][name]) / ((high - low) or 1.0), name, row)
        for row in rows
        for name, value in row["values"].items()
        for low, high in [row["intervals"][name]]
    ]
    errors.sort(key=lambda entry: -entry[0])
    cells: list[tuple[Cell, ...]] = [
        (
            shown(row["example"]),
            name,
            row["values"][name],
            row["predicted"][name],
            "{:.4g} to {:.4g}".format(*row["intervals"][name]),
        )
        for _, name, row in errors[:_WORST]
    ]
    header = ("example", "target", "right", "predicted", "interval")
    return Table("Largest errors, on test", header, cells)


def _levels(test: Mapping[str, Any]) -> Table | None:
    """The shares that intervals or a threshold promised, and what was seen on test."""
    if "intervals" not in test:
        return _false_alarms(test)
    rows = [
        (f"{row['level']:g}", row["promised"], row["coverage"])
        for row in test["intervals"]
    ]
    return Table("Intervals, on test", ("level", "promised", "coverage"), rows)


def _false_alarms(test: Mapping[str, Any]) -> Table | None:
    if "promised" not in test:
        return None
    rows: list[tuple[Cell, ...]] = [
        (
            test["normal"],
            test["promised"],
            test["false_alarm_rate"],
            test["standard_error"],
        )
    ]
    header = ("normal examples", "promised", "seen", "standard error")
    return Table("False alarms, on test", header, rows)
