"""The result in one sentence, with its interval, and as a table."""

from __future__ import annotations

from typing import Any

from pipelines.display.html import Table
from pipelines.display.text import PLURALS
from pipelines.report.run_files import RunFiles
from pipelines.report.words import counted, interval, percent, right_of


def result(run: RunFiles) -> dict[str, Any]:
    """The sentence, some key figures, the table and the sizes of the splits."""
    report = run.report
    test, counts = report["test"], report["data"]["counts"]
    right = right_of(test)
    low, high = interval(right, test["examples"])
    sizes = ", ".join(
        f"{sum(classes.values())} for {split}" for split, classes in counts.items()
    )
    skipped = sum(report["data"]["skipped"].values())
    return {
        "accuracy": percent(test["accuracy"]),
        "sentence": f"{right} of {_examples(run)} answered right"
        f" (95% interval {percent(low)} to {percent(high)}).",
        "figures": _figures(run),
        "table": _table(run),
        "sizes": f"{counted(len(report['class_names']), 'class')}; {sizes}"
        + (f"; {skipped} skipped" if skipped else ""),
    }


def _examples(run: RunFiles) -> str:
    count = run.report["test"]["examples"]
    plural = PLURALS.get(run.card.get("modality", ""), "examples")
    noun = plural if count != 1 else plural.removesuffix("s")
    return f"{count} test {noun}"


def _figures(run: RunFiles) -> list[tuple[str, str]]:
    """Names and values that a reader asks for next."""
    report = run.report
    test = report["calibration"]["test"]
    figures = [
        ("validation accuracy", percent(report["validation"]["accuracy"])),
        ("balanced accuracy", percent(report["test"]["balanced_accuracy"])),
        ("calibration error", f"{test['after']['calibration_error']:.3f}"),
        ("answers accepted", percent(test["accepted"])),
    ]
    if test["accuracy_of_accepted"] is not None:
        figures.append(("accuracy of accepted", percent(test["accuracy_of_accepted"])))
    # Reports of older versions have no baselines.
    for name, value in report.get("baselines", {}).items():
        figures.append((f"{name.replace('_', ' ')} alone", percent(value)))
    return figures


def _table(run: RunFiles) -> Table:
    header = (
        *("split", "examples", "accuracy", "95 % interval"),
        *("balanced accuracy", "log loss", "calibration error"),
    )
    rows = []
    for split in (run.report["test"], run.report["validation"]):
        low, high = interval(right_of(split), split["examples"])
        rows.append(
            (
                *(split["split"], split["examples"], split["accuracy"]),
                f"{low:.4f} to {high:.4f}",
                *(split["balanced_accuracy"], split["loss"]),
                split["calibration_error"],
            )
        )
    return Table("Accuracy, every example counted once", header, rows)
