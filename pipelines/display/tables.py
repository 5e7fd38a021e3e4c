"""Tables in plain text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.display.optional_rows import fold_rows, view_rows
from pipelines.display.phase_options import phase_options
from pipelines.display.text import short_lines, shown

_NOUNS = {"multi_label": "labels", "regression": "targets", "ordinal": "grades"}
_FINDINGS = ("severity", "times", "what", "where")
_SHOWN = 3
# More classes would fill a terminal several times.
_SHOWN_CLASSES = 100
_WORST_CLASSES = 30
# Of the name of an example or a class: its end, which differs most.
_WIDEST = 60


def aligned(rows: Sequence[Sequence[object]]) -> str:
    """Rows of cells as lines with columns of equal width, numbers to the right."""
    texts = [[shown(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts)]
    lines = []
    for row, printed in zip(rows, texts):
        cells = (
            text.rjust(width)
            if isinstance(cell, (int, float)) or _is_number(text)
            else text.ljust(width)
            for cell, text, width in zip(row, printed, widths)
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


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
        ("calibration", _calibration(report["calibration"])),
        ("phases", "; ".join(phases) or "none: no step was trained"),
        ("plan", f"{report['plan']['action']}; its reasons are in report.json"),
        ("precision", _computed(report["compute"])),
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
        return [(f"{split} accuracy", _accuracy(values))]
    first, *others = (f"{name.replace('_', ' ')} {values[name]:.4g}" for name in names)
    words = f"{first} on {values['examples']} examples ({', '.join(others)})"
    return [(split, words)]


def simple_model_rows(
    compared: Mapping[str, Any] | None,
) -> Iterator[tuple[str, str]]:
    """Models for tables beside the network, with losses, and the one that won."""
    if not compared:
        return
    measure, loss = (compared[key].replace("_", " ") for key in ("measure", "loss"))
    for name, values in compared["models"].items():
        yield (
            name.replace("_", " "),
            f"{measure} {values['validation']:.4f} on validation ({loss}"
            f" {values['validation_loss']:.4f}), {values['test']:.4f} on test ({loss}"
            f" {values['test_loss']:.4f})",
        )
    yield "recommended", f"{compared['recommended'].replace('_', ' ')}, by validation"


def _baselines_of(accuracies: Mapping[str, float]) -> str:
    """The measures of simpler predictors on test, to compare the model with."""
    return ", ".join(
        f"{name.replace('_', ' ')} {value:.4f}" for name, value in accuracies.items()
    )


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


def plan_table(planned: Mapping[str, Any]) -> str:
    """The evidence, the phases of the plan, and its reason."""
    plan, evidence = planned["plan"], planned["evidence"]
    parts = ["\n".join([f"{plan['action']}:", *short_lines(plan["reason"])])]
    if evidence:
        metric = f"left-out {evidence.get('metric', 'accuracy')}"
        header = ("head reads", "cells", "width", metric, "standard error")
        heads = [
            (_read(head), head["grid"], *_scored(head)) for head in evidence["heads"]
        ]
        heads += [
            (f"cut: {_read(head)}", head["grid"], *_scored(head))
            for head in evidence.get("cuts", ())
        ]
        parts.append(aligned([header, *heads]))
        parts.append(_depth_table(evidence))
        parts += _baselines(evidence)
    phases = [
        (
            phase["name"],
            sum(factor > 0 for _, factor in phase["block_multipliers"]),
            phase["epochs"],
            phase["optimizer"],
            f"{phase['learning_rate']:g}",
            _kept(phase),
        )
        for phase in plan["phases"]
    ]
    columns = ("phase", "blocks trained", "epochs", "optimizer", "rate", "kept")
    if phases:
        parts.append(aligned([columns, *phases]))
    options = [
        (phase["name"], words)
        for phase in plan["phases"]
        for words in phase_options(phase)
    ]
    if options:
        parts.append(aligned([("phase", "option"), *options]))
    computed = f"precision: {_computed(planned['compute'])}"
    seconds = ", ".join(f"{k} {v:.1f}" for k, v in planned["seconds"].items())
    return "\n\n".join([*parts, computed, f"seconds: {seconds}"])


def _kept(phase: Mapping[str, Any]) -> str:
    if not phase["only_if_better"]:
        return "always"
    return "whole, if better" if phase.get("whole") else "only if better"


def _computed(compute: Mapping[str, Any]) -> str:
    """The number format of training, and its reason."""
    xla = " with XLA" if compute["xla"] else ""
    return f"{compute['precision']}{xla} ({compute['reason']})"


def _depth_table(evidence: Mapping[str, Any]) -> str:
    """Each block alone: its accuracy, and its divergence from the source."""
    metric = f"left-out {evidence.get('metric', 'accuracy')}"
    header = ["block alone", "width", metric, "standard error"]
    far = {
        block["block"]: (f"{block['divergence']:.2f}", f"{block['median']:.2f}")
        for block in evidence["divergences"]
    }
    if far:
        header += ["divergence", "median"]
    unknown = ("-", "-") if far else ()
    rows = [
        (name, *_scored(depth), *far.get(name, unknown))
        for depth in evidence["depths"]
        for name in depth["reads"]
    ]
    return aligned([header, *rows])


def _baselines(evidence: Mapping[str, Any]) -> Iterator[str]:
    """Accuracies without a backbone, and the answers of the source's classifier."""
    pixels = evidence["pixel_accuracy"]
    is_accuracy = evidence.get("metric", "accuracy") == "accuracy"
    same = "always the most frequent class" if is_accuracy else "the same for all"
    words = f"{same}: {evidence['majority_accuracy']:.4f}"
    if pixels is not None:
        words += f"; tiny thumbnails alone: {pixels:.4f}"
    yield words
    source = evidence["source_answers"]
    if source is not None:
        yield (
            f"the source's classifier: mean confidence {source['confidence']:.1%};"
            f" effective classes: {source['entropy']:.1f} per example,"
            f" {source['spread']:.1f} over the data set (of {source['classes']})"
        )


def ranking_table(ranking: Mapping[str, Any]) -> str:
    """Backbones, best first, and the backbones that were not measured."""
    measured = [
        (score["backbone"], *_score_cells(score), "" if is_last else "first round")
        for score in ranking["backbones"]
        for is_last in [score["backbone"] in ranking["finalists"]]
    ]
    metric = ranking.get("metric", "accuracy")
    same = "most frequent class" if metric == "accuracy" else "the same for all"
    baselines = [(same, f"{ranking['majority_accuracy']:.4f}")]
    if ranking["pixel_accuracy"] is not None:
        baselines.append(("tiny thumbnails", f"{ranking['pixel_accuracy']:.4f}"))
    width = len(_RANKED) + 2
    rows = [("backbone", f"left-out {metric}", *_RANKED[1:], ""), *measured]
    rows += [(*row, *[""] * (width - len(row))) for row in baselines]
    parts = [ranking["reason"], aligned(rows)]
    if any(score["leep"] is None for score in ranking["backbones"]):
        parts.append("leep -: the weights do not carry the classifier of the source")
    parts += [f"{row['backbone']}: {row['reason']}" for row in ranking["left_out"]]
    if ranking["missing"]:
        parts.append(
            "weights not on this machine, see `zoo fetch`:"
            f" {_first_of(ranking['missing'])}"
        )
    seconds = ", ".join(f"{k} {v:.1f}" for k, v in ranking["seconds"].items())
    return "\n\n".join([*parts, f"seconds: {seconds}"])


_RANKED = (
    "left-out accuracy",
    "standard error",
    "last block alone",
    "ImageNet",
    "logme",
    "h-score",
    "leep",
    "examples",
    "px",
    "seconds",
    "examples/s",
    "peak memory",
)


def _score_cells(score: Mapping[str, Any]) -> tuple[object, ...]:
    probe, memory = score["probe"], score["peak_memory_bytes"]
    return (
        f"{probe['accuracy']:.4f}",
        f"{probe['standard_error']:.4f}",
        f"{score['last']['accuracy']:.4f}",
        _number(score["imagenet_top1"]),
        _number(score["logme"]),
        _number(score["h_score"]),
        _number(score["leep"]),
        score["examples"],
        _number(score["input_size_px"], digits=0),
        f"{score['seconds']:.1f}",
        f"{score['examples_per_second']:.0f}",
        "-" if memory is None else f"{memory / 1e9:.2f} GB",
    )


def _number(value: float | None, *, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _first_of(names: Sequence[str]) -> str:
    more = f", and {len(names) - _SHOWN} more" if names[_SHOWN:] else ""
    return ", ".join(names[:_SHOWN]) + more


def _read(score: Mapping[str, Any]) -> str:
    count = len(score["reads"])
    return score["reads"][0] if count == 1 else f"{count} blocks"


def _scored(score: Mapping[str, Any]) -> tuple[object, ...]:
    accuracy, error = score["accuracy"], score["standard_error"]
    return score["width"], f"{accuracy:.4f}", f"{error:.4f}"


def audit_table(audit: Mapping[str, Any]) -> str:
    """The findings in a data set, worst first, with the first names of each."""
    noun = _NOUNS.get(audit.get("problem", ""), "classes")
    head = f"{audit['examples']} examples in {len(audit['counts'])} {noun}"
    classes = _counts(audit["counts"])
    if not audit["findings"]:
        return f"{head}: {classes}\nnothing was found"
    rows = [
        (row["severity"], len(row["about"]), row["what"], _first(row["about"]))
        for row in audit["findings"]
    ]
    return f"{head}: {classes}\n\n{aligned([_FINDINGS, *rows])}"


def _counts(counts: Mapping[str, int]) -> str:
    """The size of each class; of many classes the largest and smallest."""
    if len(counts) <= _SHOWN_CLASSES:
        return ", ".join(f"{shown(name)} {count}" for name, count in counts.items())
    by_size = sorted(counts.items(), key=lambda item: -item[1])
    ends = [
        ", ".join(f"{shown(name)} {count}" for name, count in some)
        for some in (by_size[:_SHOWN], by_size[-_SHOWN:])
    ]
    median = by_size[len(by_size) // 2][1]
    return f"the largest {ends[0]}; half have {median} or more; the smallest {ends[1]}"


def _first(names: Sequence[str]) -> str:
    some = "; ".join(map(shown, names[:_SHOWN]))
    return f"{some}; and {len(names) - _SHOWN} more" if names[_SHOWN:] else some


def evaluation_table(report: Mapping[str, Any]) -> str:
    """Accuracy over all, and precision, recall and F1 per class.

    Of many classes only the ones with examples and the lowest F1. Without classes all
    numbers, and those of each label or target.
    """
    if "per_class" not in report:
        return _measures(report)
    header = ("class", "precision", "recall", "f1", "examples")
    classes, note = list(report["per_class"].items()), ""
    if len(classes) > _SHOWN_CLASSES:
        seen = [item for item in classes if item[1]["examples"]]
        worst = sorted(seen, key=lambda item: item[1]["f1"])[:_WORST_CLASSES]
        note = (
            f"\nthe {len(worst)} classes with the lowest f1, of {len(classes)};"
            " --json has all"
        )
        classes = worst
    rows = [
        (name, *(f"{values[key]:.3f}" for key in header[1:4]), values["examples"])
        for name, values in classes
    ]
    error = f"expected calibration error {report['calibration_error']:.4f}"
    return f"accuracy {_accuracy(report)}\n{error}\n{note}\n{aligned([header, *rows])}"


def _measures(report: Mapping[str, Any]) -> str:
    """The numbers of a report, and a row for each label or target."""
    numbers = [
        (name.replace("_", " "), f"{value:.4g}")
        for name, value in report.items()
        if isinstance(value, (int, float)) and name != "examples"
    ]
    (per,) = (value for name, value in report.items() if name.startswith("per_"))
    columns = list(next(iter(per.values())))
    rows = [
        (name, *("-" if row[key] is None else f"{row[key]:.4g}" for key in columns))
        for name, row in per.items()
    ]
    header = ("", *(key.replace("_", " ") for key in columns))
    return "\n\n".join(
        [f"{report['examples']} examples", aligned(numbers), aligned([header, *rows])]
    )


def mistakes_table(mistakes: Sequence[Mapping[str, Any]]) -> str:
    """The worst mistakes of an evaluation, one a line."""
    header = ("worst mistakes", "label", "predicted", "confidence", "accepted")
    rows = [
        (
            _cut(row["example"]),
            _cut(row["label"]),
            _cut(row["predicted"]) or "(not valid)",
            f"{row['confidence']:.4f}",
            "yes" if row["accepted"] else "no",
        )
        for row in mistakes
    ]
    return aligned([header, *rows])


def _cut(name: str) -> str:
    """A name of a length that leaves room on the line for others."""
    text = shown(name)
    return text if len(text) <= _WIDEST else f"...{text[3 - _WIDEST :]}"


def _accuracy(report: Mapping[str, Any]) -> str:
    return (
        f"{report['accuracy']:.4f} on {report['examples']} examples"
        f" ({report['balanced_accuracy']:.4f} balanced)"
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


def _is_number(text: str) -> bool:
    digits = text.removeprefix("-").replace(".", "", 1).replace(",", "")
    return digits.isdigit()
