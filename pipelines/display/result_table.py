"""The table of the result of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.display.optional_rows import (
    adaptation_rows,
    distillation_rows,
    fold_rows,
    simple_model_rows,
    unlabelled_rows,
    view_rows,
)
from pipelines.display.tables import accuracy_of, aligned, computed


def result_table(report: Mapping[str, Any]) -> str:
    """The result of a run, its cost, and its artifact."""
    seconds = ", ".join(
        f"{stage} {value:.1f}" for stage, value in report["seconds"].items()
    )
    skipped = [f"{name} skipped, no time left" for name in report["phases_skipped"]]
    not_needed = [
        f"{name} left out, as validation has too little wrong to show a gain"
        for name in report["phases_not_needed"]
    ]
    phases = [*map(_phase, report["phases"]), *not_needed, *skipped]
    measured = "in the last phase" if report["phases"] else "while measuring"
    rows = [
        *_quality(report, "test"),
        ("without a network", _baselines_of(report["baselines"])),
        *_quality(report, "validation"),
        *simple_model_rows(report.get("simple_models")),
        *fold_rows(report.get("folds")),
        *view_rows(report.get("test_views")),
        *adaptation_rows(report.get("adaptation")),
        *distillation_rows(report.get("distillation")),
        *unlabelled_rows(report.get("unlabelled")),
        ("calibration", _calibration(report["calibration"])),
        ("phases", "; ".join(phases) or "none: no step was trained"),
        ("plan", f"{report['plan']['action']}; its reasons are in report.json"),
        ("precision", computed(report["compute"])),
        ("parity", f"largest difference {report['parity']['largest_difference']:.1e}"),
        ("seconds", seconds),
        ("images per second", f"{report['images_per_second']:.0f} {measured}"),
        ("peak memory", f"{report['peak_memory_bytes'] / 1e9:.2f} GB"),
        ("artifact", report["artifact"]),
    ]
    parts = [aligned(rows), *_profiles(report["phases"])]
    return "\n" + "\n\n".join(parts)


def _quality(report: Mapping[str, Any], split: str) -> list[tuple[str, str]]:
    """The numbers of a split that are printed first, the compared one in front."""
    values = report[split]
    names = report.get("headline", ["accuracy"])
    if names[0] == "accuracy":
        return [(f"{split} accuracy", accuracy_of(values))]
    first, *others = (f"{name.replace('_', ' ')} {values[name]:.4g}" for name in names)
    words = f"{first} on {values['examples']} examples ({', '.join(others)})"
    return [(split, words)]


def _baselines_of(accuracies: Mapping[str, float]) -> str:
    """The measures of simpler predictors on test, to compare the model with."""
    return ", ".join(
        f"{name.replace('_', ' ')} {value:.4f}" for name, value in accuracies.items()
    )


def _calibration(calibration: Mapping[str, Any]) -> str:
    test = calibration["test"]
    if "promised" in test:
        seen = test["false_alarm_rate"]
        rate = "no normal example in test" if seen is None else f"{seen:.4g} on test"
        return f"{calibration['reason']} Seen: {rate}"
    if "before" not in test:
        return f"{calibration['reason']} {test['accepted']:.1%} of test accepted"
    before, after = (test[when]["calibration_error"] for when in ("before", "after"))
    if calibration.get("method") == "none":
        error = f"error on test {after:.4f}, not calibrated: {calibration['reason']}"
    else:
        error = f"error on test {before:.4f} before, {after:.4f} after;"
    return f"{error} {test['accepted']:.1%} of test accepted"


def _phase(phase: Mapping[str, Any]) -> str:
    """Validation accuracy before and after a phase, and if the phase was kept."""
    name, before, after = (
        phase[key] for key in ("name", "accuracy_before", "accuracy_after")
    )
    if before is None:
        return f"{name} {after:.4f}"
    start = f"{name} {before:.4f}"
    if phase["solved"]:
        start += " solved in closed form"
    if not phase["kept"]:
        return f"{start}, training gained nothing more"
    return f"{start}, trained to {after:.4f}"


def _profiles(phases: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The parts of a step in milliseconds, for phases that were profiled."""
    profiled = [phase for phase in phases if phase.get("profile")]
    rows = [(phase["name"], phase["profile"]) for phase in profiled]
    columns = ("input", "forward", "backward", "update", "callbacks")
    if rows:
        cells = [
            (name, *(f"{1000 * seconds[column]:.2f}" for column in columns))
            for name, seconds in rows
        ]
        yield aligned([("milliseconds of a step", *columns), *cells])
