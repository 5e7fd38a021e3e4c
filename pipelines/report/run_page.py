"""The page of a run, `report.html`: what was done, why, and what came of it.

Made of the JSON files of the run folder. It needs no network and runs no script, and
whatever comes from the data, such as the name of a class, is escaped.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from pipelines.display.html import Cell, document, folded, table, text
from pipelines.errors import ConfigError
from pipelines.report import confusion_page, depth_plot

FILE_NAME = "report.html"
# Rows that show at once; the others unfold.
_SHOWN_CLASSES = 20
# Nobody reads a table of 10,000 rows, and it is megabytes.
_MOST_CLASSES = 1000
_STYLE = """
h2 { border-top: 1px solid #ccc; padding-top: 1rem; }
caption { text-align: left; font-weight: 600; padding: .6rem 0 .2rem; }
thead th { border-bottom: 1px solid #888; vertical-align: bottom; }
tbody th { font-weight: 400; overflow-wrap: anywhere; min-width: 6rem; }
td { overflow-wrap: anywhere; min-width: 4rem; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; min-width: 0; }
nav ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 1rem; }
img { max-width: 100%; height: auto; }
details { margin: .6rem 0; } summary { cursor: pointer; }
"""


@dataclasses.dataclass(frozen=True)
class RunFiles:
    """What lies in the folder of a finished run, as plain values.

    `history` has a row per epoch, and `depth_plot` is a PNG, or nothing where none was
    drawn.
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
    """The page as HTML, in ASCII."""
    sections = {
        "Result": _result(run),
        "Plan": _plan(run),
        "Training": _training(run),
        "Classes": _classes(run.report),
        "Confusion": _confusion(run.report),
        "Calibration": _calibration(run.report),
        "Artifact": _artifact(run.report),
        "Cost": _cost(run.report),
        "Versions and settings": _settings(run),
    }
    title = f"{run.report['backbone']['name']} on {run.report['data']['reference']}"
    links = "".join(f'<li><a href="#{_id(n)}">{text(n)}</a></li>' for n in sections)
    body = [
        f"<header><h1>{text(title)}</h1>",
        f'<nav aria-label="Sections"><ul>{links}</ul></nav></header><main>',
        *(
            line
            for name, lines in sections.items()
            for line in (f'<h2 id="{_id(name)}">{text(name)}</h2>', *lines)
        ),
        "</main>",
    ]
    return document(title, body, style=_STYLE + confusion_page.STYLE)


def _id(name: str) -> str:
    return name.lower().replace(" ", "-")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _lines(path: Path) -> list[Any]:
    """A value for each line; nothing was trained where there is no such file."""
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


def _result(run: RunFiles) -> Iterator[str]:
    report = run.report
    rows = [
        (
            one["split"],
            one["examples"],
            one["accuracy"],
            _interval(one),
            one["balanced_accuracy"],
            one["loss"],
            one["calibration_error"],
        )
        for one in (report["test"], report["validation"])
    ]
    header = (
        *("split", "examples", "accuracy", "95 % interval"),
        *("balanced accuracy", "log loss", "calibration error"),
    )
    yield from table("Accuracy, every example counted once", header, rows)
    yield (
        "<p>Validation chose epochs and thresholds, so its numbers are on the bright"
        " side; those of test are for examples that decided nothing.</p>"
    )
    counts = report["data"]["counts"]
    sizes = ", ".join(f"{sum(of.values())} for {name}" for name, of in counts.items())
    words = f"{len(report['class_names'])} classes; {sizes}"
    skipped = sum(report["data"]["skipped"].values())
    if skipped:
        words += f"; {skipped} skipped"
    yield f"<p>{text(words)}.</p>"


def _interval(one: Mapping[str, Any]) -> str:
    """Wilson's, which is right for accuracies near 1 and for few examples, too."""
    examples = one["examples"]
    right = round(one["accuracy"] * examples)
    found = binomtest(right, examples).proportion_ci(method="wilson")
    return f"{found.low:.4f} to {found.high:.4f}"


def _plan(run: RunFiles) -> Iterator[str]:
    plan, evidence = run.plan, run.plan["evidence"]
    yield f"<p><strong>{text(plan['action'])}</strong></p>"
    reasons = "".join(f"<li>{text(line)}</li>" for line in plan["reason"].splitlines())
    yield f"<ul>{reasons}</ul>"
    if evidence is None:
        return
    heads = [(_reads(one), one["grid"], *_scored(one)) for one in evidence["heads"]]
    measured = ("width", "accuracy, left out", "standard error")
    yield from table("What a head could read", ("reads", "grid", *measured), heads)
    levels = [
        ("most frequent class", evidence["majority_accuracy"]),
        ("tiny thumbnails alone", evidence["pixel_accuracy"]),
    ]
    yield from table("Without the backbone", ("baseline", "accuracy"), levels)
    if run.depth_plot:
        data = base64.b64encode(run.depth_plot).decode("ascii")
        alt = "Accuracy of a linear probe on each block; the table below has it all."
        yield f'<p><img alt="{alt}" src="data:image/png;base64,{data}"></p>'
    far = {one["block"]: one["median"] for one in evidence["divergences"]}
    depths = [
        (one["reads"][0], *_scored(one), far.get(one["reads"][0]))
        for one in evidence["depths"]
    ]
    header = ("block", *measured, "divergence from the source, nats")
    yield from folded(
        "Every block alone, from input to output",
        table("Linear probes by depth", header, depths),
    )


def _reads(score: Mapping[str, Any]) -> str:
    count = len(score["reads"])
    return score["reads"][0] if count == 1 else f"{count} blocks"


def _scored(score: Mapping[str, Any]) -> tuple[Cell, ...]:
    return score["width"], score["accuracy"], score["standard_error"]


def _training(run: RunFiles) -> Iterator[str]:
    report = run.report
    phases = [
        (
            one["name"],
            _kept(one),
            one["accuracy_before"],
            one["accuracy_after"],
            one["gain_standard_error"],
            f"{one['learning_rate']:g}",
            one["best_epoch"],
            f"{one['seconds']:.1f}",
        )
        for one in report["phases"]
    ]
    header = (
        *("phase", "kept", "validation before", "after", "standard error of the gain"),
        *("learning rate", "best epoch", "seconds"),
    )
    yield from table("Phases", header, phases)
    for name in report["phases_skipped"]:
        yield f"<p>{text(name)} was skipped: no time was left.</p>"
    for phase, movements in report["receipt"].items():
        yield from _receipt(phase, movements)
    if run.history:
        yield from folded("Every epoch", _epochs(run.history))


def _kept(phase: Mapping[str, Any]) -> str:
    if not phase["kept"]:
        return "no, it gained nothing"
    return "yes" if phase["blend"] == 1 else f"blended, {phase['blend']:.0%}"


def _receipt(phase: str, movements: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What a phase moved: a sentence, and the table for who wants to see."""
    frozen = [one for one in movements if not one["trainable"]]
    moved = [one["block"] for one in frozen if one["largest_change"]]
    said = (
        f"{len(frozen)} of {len(movements)} parts were frozen and moved by exactly 0"
        if frozen and not moved
        else f"{', '.join(moved)} moved though frozen"
        if moved
        else "nothing was frozen"
    )
    rows = [
        (
            one["block"],
            "trained" if one["trainable"] else "frozen",
            f"{one['relative_change']:.3g}",
            f"{one['largest_change']:.3g}",
            f"{one['statistics_change']:.3g}",
        )
        for one in movements
    ]
    header = ("block", "state", "relative change", "largest change", "of statistics")
    yield from folded(
        f"Receipt of {phase}: {said}", table(f"What {phase} moved", header, rows)
    )


def _epochs(history: Sequence[Mapping[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(name for line in history for name in line))
    rows = [[line.get(name) for name in names] for line in history]
    return table("Epochs in order", names, rows)


def _classes(report: Mapping[str, Any]) -> Iterator[str]:
    """Worst first, by F1 on test; classes without a test example come last."""
    test, counts = report["test"]["per_class"], report["data"]["counts"]
    order = sorted(
        report["class_names"],
        key=lambda name: (test[name]["examples"] == 0, test[name]["f1"]),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            *(float(test[name][what]) for what in ("precision", "recall", "f1")),
            *(of.get(name, 0) for of in counts.values()),
        )
        for name in order
    ]
    header = (
        *("class", "precision", "recall", "F1"),
        *(f"examples, {split}" for split in counts),
    )
    first, others = rows[:_SHOWN_CLASSES], rows[_SHOWN_CLASSES:_MOST_CLASSES]
    yield from table("Worst first, on test", header, first)
    if others:
        more = len(rows) - len(first) - len(others)
        yield from folded(
            f"The next {len(others)} classes"
            if more
            else f"The other {len(others)} classes",
            table("Better ones, on test", header, others),
        )
        if more:
            yield f"<p>report.json has those of the other {more} classes.</p>"


def _confusion(report: Mapping[str, Any]) -> Iterator[str]:
    for split in ("test", "validation"):
        yield from confusion_page.confusion(
            split,
            report[split]["confusion"],
            report["class_names"],
            # Reports of runs before there were two forms do not say which.
            form=report[split].get("confusion_form", "matrix"),
        )


def _calibration(report: Mapping[str, Any]) -> Iterator[str]:
    found = report["calibration"]
    yield f"<p>{text(found['reason'])}</p>"
    measures = ("accuracy", "calibration_error", "brier_score", "log_loss")
    rows: list[tuple[Cell, ...]] = [
        (f"{split}, {when}", *(float(found[split][when][name]) for name in measures))
        for split in ("test", "validation")
        for when in ("before", "after")
    ]
    header = ("split", *(name.replace("_", " ") for name in measures))
    yield from table(
        f"Probabilities, method {found['method']}, temperature"
        f" {found['temperature']:.4g}",
        header,
        rows,
    )
    shares = ("accepted", "confident", "in_distribution", "accuracy_of_accepted")
    yield from table(
        "What the artifact accepts",
        ("split", *(name.replace("_", " ") for name in shares)),
        [
            (split, *(found[split][name] for name in shares))
            for split in ("test", "validation")
        ],
    )
    yield from table("Thresholds", ("of", "value"), found["thresholds"].items())
    yield from table(
        "Prediction sets, on test",
        ("level", "holds the right class", "mean size"),
        [
            (f"{one['level']:g}", one["coverage"], one["mean_size"])
            for one in found["test"]["prediction_sets"]
        ],
    )


def _artifact(report: Mapping[str, Any]) -> Iterator[str]:
    parity = report["parity"]
    yield (
        f"<p>The published artifact is <code>{text(report['artifact'])}</code>. In a"
        f" process of its own it gave what the trained model gives:"
        f" {parity['outputs_compared']} outputs compared, the largest difference"
        f" {parity['largest_difference']:.1e}, allowed {parity['tolerance']:.0e}.</p>"
    )


def _cost(report: Mapping[str, Any]) -> Iterator[str]:
    seconds = [(name, f"{of:.1f}") for name, of in report["seconds"].items()]
    yield from table("Seconds by stage", ("stage", "seconds"), seconds)
    yield (
        f"<p>{report['images_per_second']:.0f} images per second in the last phase;"
        f" {report['peak_memory_bytes'] / 1e9:.2f} GB of memory at most.</p>"
    )


def _settings(run: RunFiles) -> Iterator[str]:
    environment = run.environment
    yield from table(
        "Versions", ("package", "version"), environment["versions"].items()
    )
    facts: list[tuple[Cell, ...]] = [
        ("data fingerprint", run.report["data"]["fingerprint"]),
        ("weights of the backbone", _weights(run.report["backbone"])),
        ("platform", environment["platform"]),
        ("processors", environment["processor_count"]),
        ("command", environment["command"]),
    ]
    yield from table("Where it ran", ("what", "value"), facts)
    yield from folded(
        "The whole config",
        table("Fields of the config", ("field", "value"), _flat(run.config)),
    )


def _weights(backbone: Mapping[str, Any]) -> str:
    unpinned = ", from an address that was trusted: no hash of them is known"
    return f"{backbone['weights']}{unpinned if backbone.get('unpinned') else ''}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)
