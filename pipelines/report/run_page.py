"""The page of a run, `report.html`: plan, training, result and settings.

Made of the JSON files of the run folder. It needs no network and runs no script, and
texts from the data, such as the names of classes, are escaped.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup
from scipy.stats import binomtest

from pipelines.display.html import Cell, Table, document
from pipelines.display.records import dotted
from pipelines.errors import ConfigError
from pipelines.report import confusion_page, depth_plot

FILE_NAME = "report.html"
# Rows that show at once; the others unfold.
_SHOWN_CLASSES = 20
_PARITY = ("outputs_compared", "largest_difference", "tolerance")
# Nobody reads a table of 10,000 rows, and it is megabytes.
_MOST_CLASSES = 1000


@dataclasses.dataclass(frozen=True)
class RunFiles:
    """The files of a finished run, as plain values.

    `history` has a row per epoch; `depth_plot` is a PNG, or None if none was drawn.
    """

    report: Mapping[str, Any]
    plan: Mapping[str, Any]
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    depth_plot: bytes | None


def read(folder: Path) -> RunFiles:
    """The files of a finished run.

    Raises:
        ConfigError: if the folder holds no finished run, or a file cannot be read.
    """
    if not (folder / "report.json").is_file():
        raise ConfigError(
            f"{folder} holds no finished run: it has no report.json. Name the"
            " config.workdir of one; an unfinished run goes on with `zoo train`."
        )
    return RunFiles(
        report=_json(folder / "report.json"),
        plan=_json(folder / "plan.json"),
        config=_json(folder / "config.json"),
        environment=_json(folder / "environment.json"),
        history=_lines(folder / "history.jsonl"),
        depth_plot=_bytes(folder / depth_plot.FILE_NAME),
    )


def page(run: RunFiles) -> str:
    """The page as HTML, in ASCII.

    Raises:
        KeyError: if a file lacks an entry, because another version wrote it.
    """
    report = run.report
    return document(
        "run.html",
        title=f"{report['backbone']['name']} on {report['data']['reference']}",
        result=_result(report),
        plan={
            "action": run.plan["action"],
            "reasons": run.plan["reason"].splitlines(),
        },
        evidence=_evidence(run),
        training=_training(run),
        classes=_classes(report),
        confusion=_confusion(report),
        calibration=_calibration(report["calibration"]),
        artifact=report["artifact"],
        parity={name: report["parity"][name] for name in _PARITY},
        cost={
            "stages": Table(
                "Seconds by stage",
                ("stage", "seconds"),
                [(stage, f"{value:.1f}") for stage, value in report["seconds"].items()],
            ),
            "images_per_second": report["images_per_second"],
            "peak_memory_bytes": report["peak_memory_bytes"],
        },
        settings=_settings(run),
    )


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _lines(path: Path) -> list[Any]:
    """A value for each line; none if nothing was trained and the file is missing."""
    if not path.is_file():
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _unreadable(path: Path, error: Exception) -> ConfigError:
    return ConfigError(
        f"{path} cannot be read: {error}. The page is made of the files of the run;"
        " put this one back, or train again with config.overwrite."
    )


def _result(report: Mapping[str, Any]) -> dict[str, Any]:
    header = (
        *("split", "examples", "accuracy", "95 % interval"),
        *("balanced accuracy", "log loss", "calibration error"),
    )
    rows = [
        (
            split["split"],
            split["examples"],
            split["accuracy"],
            _interval(split),
            split["balanced_accuracy"],
            split["loss"],
            split["calibration_error"],
        )
        for split in (report["test"], report["validation"])
    ]
    counts = report["data"]["counts"]
    sizes = ", ".join(
        f"{sum(classes.values())} for {split}" for split, classes in counts.items()
    )
    skipped = sum(report["data"]["skipped"].values())
    return {
        "table": Table("Accuracy, every example counted once", header, rows),
        "sizes": f"{len(report['class_names'])} classes; {sizes}"
        + (f"; {skipped} skipped" if skipped else ""),
    }


def _interval(split: Mapping[str, Any]) -> str:
    """Wilson's interval, which holds for accuracies near 1 and for few examples too."""
    examples = split["examples"]
    right = round(split["accuracy"] * examples)
    interval = binomtest(right, examples).proportion_ci(method="wilson")
    return f"{interval.low:.4f} to {interval.high:.4f}"


def _evidence(run: RunFiles) -> dict[str, Any] | None:
    """The tables of the linear probes, and the plot of them where one was drawn."""
    evidence = run.plan["evidence"]
    if evidence is None:
        return None
    measured = ("width", "accuracy, left out", "standard error")
    medians = {block["block"]: block["median"] for block in evidence["divergences"]}
    plot = run.depth_plot
    return {
        "heads": Table(
            "Inputs that a head could read",
            ("reads", "grid", *measured),
            [
                (_reads(head), head["grid"], *_scored(head))
                for head in evidence["heads"]
            ],
        ),
        "baselines": Table(
            "Without the backbone",
            ("baseline", "accuracy"),
            [
                ("most frequent class", evidence["majority_accuracy"]),
                ("tiny thumbnails alone", evidence["pixel_accuracy"]),
            ],
        ),
        "plot": base64.b64encode(plot).decode("ascii") if plot else "",
        "depths": Table(
            "Linear probes by depth",
            ("block", *measured, "divergence from the source, nats"),
            [
                (
                    depth["reads"][0],
                    *_scored(depth),
                    medians.get(depth["reads"][0]),
                )
                for depth in evidence["depths"]
            ],
        ),
    }


def _reads(score: Mapping[str, Any]) -> str:
    count = len(score["reads"])
    return score["reads"][0] if count == 1 else f"{count} blocks"


def _scored(score: Mapping[str, Any]) -> tuple[Cell, ...]:
    return score["width"], score["accuracy"], score["standard_error"]


def _training(run: RunFiles) -> dict[str, Any]:
    report = run.report
    header = (
        *("phase", "kept", "validation before", "after", "standard error of the gain"),
        *("learning rate", "best epoch", "seconds"),
    )
    phases = [
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
        for phase in report["phases"]
    ]
    return {
        "phases": Table("Phases", header, phases),
        "skipped": report["phases_skipped"],
        "receipts": [
            _receipt(phase, changes) for phase, changes in report["receipt"].items()
        ],
        "epochs": _epochs(run.history) if run.history else None,
    }


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


def _classes(report: Mapping[str, Any]) -> dict[str, Any]:
    """Worst first, by F1 on test; classes without a test example come last."""
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
            *(classes.get(name, 0) for classes in counts.values()),
        )
        for name in order
    ]
    others = rows[_SHOWN_CLASSES:_MOST_CLASSES]
    return {
        "worst": Table("Worst first, on test", header, rows[:_SHOWN_CLASSES]),
        "others": Table("Better classes, on test", header, others),
        "more": len(rows[_MOST_CLASSES:]),
    }


def _confusion(report: Mapping[str, Any]) -> list[Markup]:
    return [
        confusion_page.confusion(
            split,
            report[split]["confusion"],
            report["class_names"],
            # Reports of runs before there were two forms do not name theirs.
            form=report[split].get("confusion_form", "matrix"),
        )
        for split in ("test", "validation")
    ]


def _calibration(report: Mapping[str, Any]) -> dict[str, Any]:
    splits = ("test", "validation")
    measures = ("accuracy", "calibration_error", "brier_score", "log_loss")
    probabilities: list[tuple[Cell, ...]] = [
        (f"{split}, {when}", *(float(report[split][when][name]) for name in measures))
        for split in splits
        for when in ("before", "after")
    ]
    shares = ("accepted", "confident", "in_distribution", "accuracy_of_accepted")
    accepted = [(split, *(report[split][name] for name in shares)) for split in splits]
    sets = [
        (f"{level['level']:g}", level["coverage"], level["mean_size"])
        for level in report["test"]["prediction_sets"]
    ]
    return {
        "reason": report["reason"],
        "tables": [
            Table(
                f"Probabilities, method {report['method']}, temperature"
                f" {report['temperature']:.4g}",
                ("split", *(name.replace("_", " ") for name in measures)),
                probabilities,
            ),
            Table(
                "Shares that the artifact accepts",
                ("split", *(name.replace("_", " ") for name in shares)),
                accepted,
            ),
            Table("Thresholds", ("of", "value"), list(report["thresholds"].items())),
            Table(
                "Prediction sets, on test",
                ("level", "holds the right class", "mean size"),
                sets,
            ),
        ],
    }


def _settings(run: RunFiles) -> dict[str, Table]:
    environment = run.environment
    facts: list[tuple[Cell, ...]] = [
        ("data fingerprint", run.report["data"]["fingerprint"]),
        ("weights of the backbone", _weights(run.report["backbone"])),
        ("platform", environment["platform"]),
        ("processors", environment["processor_count"]),
        ("command", environment["command"]),
    ]
    return {
        "versions": Table(
            "Versions", ("package", "version"), list(environment["versions"].items())
        ),
        "facts": Table("Machine and command", ("fact", "value"), facts),
        "config": Table(
            "Fields of the config",
            ("field", "value"),
            [(name, str(value)) for name, value in dotted(run.config).items()],
        ),
    }


def _weights(backbone: Mapping[str, Any]) -> str:
    unpinned = ", from an address that was trusted: no hash of them is known"
    return f"{backbone['weights']}{unpinned if backbone.get('unpinned') else ''}"
