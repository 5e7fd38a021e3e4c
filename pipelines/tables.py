"""Tables in plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.data.printable import shown

_FINDINGS = ("severity", "times", "what", "where")
_SHOWN = 3


def aligned(rows: Sequence[Sequence[object]]) -> str:
    """Rows of cells as lines with columns of equal width, numbers to the right."""
    columns = list(zip(*rows))
    widths = [max(len(str(cell)) for cell in column) for column in columns]
    lines = []
    for row in rows:
        cells = (
            str(cell).rjust(width)
            if isinstance(cell, (int, float)) or _is_number(str(cell))
            else str(cell).ljust(width)
            for cell, width in zip(row, widths)
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def result_table(report: Mapping[str, Any]) -> str:
    """What a run reached, what it cost, and where everything is."""
    seconds = ", ".join(
        f"{stage} {value:.1f}" for stage, value in report["seconds"].items()
    )
    skipped = [f"{name} skipped, no time left" for name in report["phases_skipped"]]
    phases = "; ".join([*map(_phase, report["phases"]), *skipped])
    rows = [
        ("test accuracy", _accuracy(report["test"])),
        ("validation accuracy", _accuracy(report["validation"])),
        ("calibration", _calibration(report["calibration"])),
        ("phases", phases),
        ("plan", report["plan"]["reason"]),
        ("parity", f"largest difference {report['parity']['largest_difference']:.1e}"),
        ("seconds", seconds),
        ("images per second", f"{report['images_per_second']:.0f} in the last phase"),
        ("peak memory", f"{report['peak_memory_bytes'] / 1e9:.2f} GB"),
        ("artifact", report["artifact"]),
    ]
    return "\n" + aligned(rows)


def plan_table(planned: Mapping[str, Any]) -> str:
    """What was measured, what training would do, and why."""
    plan, evidence = planned["plan"], planned["evidence"]
    parts = [f"{plan['action']}: {plan['reason']}"]
    if evidence:
        header = ("head reads", "cells", "width", "left-out accuracy", "standard error")
        heads = [(_read(one), one["grid"], *_scored(one)) for one in evidence["heads"]]
        parts.append(aligned([header, *heads]))
        depths = [(one["reads"][0], *_scored(one)) for one in evidence["depths"]]
        parts.append(aligned([("block alone", *header[2:]), *depths]))
    phases = [
        (
            phase["name"],
            sum(factor > 0 for _, factor in phase["block_multipliers"]),
            phase["epochs"],
            phase["optimizer"],
            f"{phase['learning_rate']:g}",
            "only if better" if phase["only_if_better"] else "always",
        )
        for phase in plan["phases"]
    ]
    columns = ("phase", "blocks trained", "epochs", "optimizer", "rate", "kept")
    parts.append(aligned([columns, *phases]))
    seconds = ", ".join(f"{k} {v:.1f}" for k, v in planned["seconds"].items())
    return "\n\n".join([*parts, f"seconds: {seconds}"])


def _read(score: Mapping[str, Any]) -> str:
    count = len(score["reads"])
    return score["reads"][0] if count == 1 else f"{count} blocks"


def _scored(score: Mapping[str, Any]) -> tuple[object, ...]:
    accuracy, error = score["accuracy"], score["standard_error"]
    return score["width"], f"{accuracy:.4f}", f"{error:.4f}"


def survey_table(survey: Mapping[str, Any]) -> str:
    """What was found in a data set, worst first, with the first names of each."""
    counts = survey["counts"].items()
    head = f"{survey['examples']} examples in {len(survey['counts'])} classes"
    classes = ", ".join(f"{shown(name)} {count}" for name, count in counts)
    if not survey["findings"]:
        return f"{head}: {classes}\nnothing was found"
    rows = [
        (found["severity"], len(found["about"]), found["what"], _first(found["about"]))
        for found in survey["findings"]
    ]
    return f"{head}: {classes}\n\n{aligned([_FINDINGS, *rows])}"


def _first(names: Sequence[str]) -> str:
    some = "; ".join(map(shown, names[:_SHOWN]))
    return f"{some}; and {len(names) - _SHOWN} more" if names[_SHOWN:] else some


def evaluation_table(report: Mapping[str, Any]) -> str:
    """Accuracy over all, and precision, recall and F1 per class."""
    header = ("class", "precision", "recall", "f1", "examples")
    rows = [
        (name, *(f"{values[key]:.3f}" for key in header[1:4]), values["examples"])
        for name, values in report["per_class"].items()
    ]
    error = f"expected calibration error {report['calibration_error']:.4f}"
    return f"accuracy {_accuracy(report)}\n{error}\n\n{aligned([header, *rows])}"


def _accuracy(report: Mapping[str, Any]) -> str:
    return (
        f"{report['accuracy']:.4f} on {report['examples']} examples"
        f" ({report['balanced_accuracy']:.4f} balanced)"
    )


def _calibration(calibration: Mapping[str, Any]) -> str:
    test = calibration["test"]
    before, after = (test[when]["calibration_error"] for when in ("before", "after"))
    return (
        f"error on test {before:.4f} before, {after:.4f} after;"
        f" {test['accepted']:.1%} of test accepted"
    )


def _phase(phase: Mapping[str, Any]) -> str:
    """What a phase did to validation accuracy, and whether it was kept."""
    before = f"{phase['name']} {phase['accuracy_before']:.4f}"
    if not phase["kept"]:
        return f"{before}, no gain, undone"
    return f"{before} to {phase['accuracy_after']:.4f}"


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace(",", "").isdigit()
