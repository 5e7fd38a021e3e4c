"""The next steps that the numbers of a run speak for, each with its evidence."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.display.text import shown
from pipelines.report.run_files import RunFiles
from pipelines.report.words import counted, interval, percent, right_of

_CLASSES, _NAMES = 5, 5
# From this confidence on a mistake may as well be one of the label.
_SURE = 0.95
# A wider interval than this hides most differences between models.
_WIDE = 0.1
_FEWEST_TO_CALIBRATE = 20

Step = dict[str, str]


def advice(run: RunFiles) -> list[Step]:
    """Steps with a `title` and a `text`; none if no number asks for one."""
    return [
        *_simple_model(run),
        *_simpler(run),
        *_weak_classes(run),
        *_labels(run),
        *_larger_backbone(run),
        *_small_test(run),
        *_calibration(run),
        *_time(run),
    ]


def _simple_model(run: RunFiles) -> Iterator[Step]:
    """A model for tables that the network is not clearly better than on validation."""
    compared = run.report.get("simple_models")
    if not compared or compared["recommended"] == "network":
        return
    name = compared["recommended"]
    best, ours = (compared["models"][key] for key in (name, "network"))
    loss = compared["loss"].replace("_", " ")
    yield {
        "title": f"Use {name.replace('_', ' ')} on this table",
        "text": f"On validation its accuracy is {percent(best['validation'])} ({loss}"
        f" {best['validation_loss']:.4f}), and the network's"
        f" {percent(ours['validation'])} ({loss} {ours['validation_loss']:.4f});"
        f" on test {percent(best['test'])} and {percent(ours['test'])}: as good as the"
        " network or better, beside chance. It is in scikit-learn, and trains in"
        " seconds. The network is for transfer, and for a served artifact.",
    }


def _simpler(run: RunFiles) -> Iterator[Step]:
    """A predictor without a network that the result does not clearly beat."""
    test = run.report["test"]
    low, _ = interval(right_of(test), test["examples"])
    for name, value in run.report.get("baselines", {}).items():
        if value >= low:
            yield {
                "title": "Find out why a simple guess is as good as the network",
                "text": f"The {name.replace('_', ' ')} alone has an accuracy of"
                f" {percent(value)}; the interval of this model begins at"
                f" {percent(low)}. Look at the data first: zoo check.",
            }


def _weak_classes(run: RunFiles) -> Iterator[Step]:
    """Classes whose recall is below the accuracy of all by more than chance."""
    report = run.report
    accuracy = report["test"]["accuracy"]
    per_class = report["test"]["per_class"]
    weak = []
    for name, scores in per_class.items():
        if examples := scores["examples"]:
            right = round(scores["recall"] * examples)
            high = interval(right, examples, comparisons=len(per_class))[1]
            if high < accuracy:
                weak.append((scores["recall"], name))
    weak.sort()
    yield from (_weak_class(run, name) for _, name in weak[:_CLASSES])
    if weak[_CLASSES:]:
        yield {
            "title": f"{counted(len(weak[_CLASSES:]), 'more class')} like these",
            "text": "Their recall too is below the accuracy of all by more than chance;"
            " the table of classes has them, worst first.",
        }


def _weak_class(run: RunFiles, name: str) -> Step:
    report = run.report
    train, scores = report["data"]["counts"]["train"], report["test"]["per_class"][name]
    size, median = train.get(name, 0), statistics.median(train.values())
    action = "More training examples of" if size < median else "A closer look at"
    return {
        "title": f"{action} {shown(name)}",
        "text": f"Its recall is {percent(scores['recall'])} on"
        f" {counted(scores['examples'], 'test example')}, and the accuracy of all"
        f" classes {percent(report['test']['accuracy'])}: more apart than by chance. It"
        f" has {counted(size, 'training example')}, the median class {median:g}."
        f"{_most_taken_for(run, name)}",
    }


def _most_taken_for(run: RunFiles, name: str) -> str:
    """A sentence on the class that another is taken for most often, if it is known."""
    rows = [
        row
        for row in run.predictions_of.get("test", ())
        if row.label == name and not row.is_right
    ]
    if not rows:
        return ""
    (answer, times), *_ = Counter(row.predicted for row in rows).most_common(1)
    mistakes = counted(len(rows), "mistake")
    return f" {times} of its {mistakes} were taken for {shown(answer)}."


def _labels(run: RunFiles) -> Iterator[Step]:
    """Mistakes at a high confidence, whose labels a person should look at."""
    sure = [
        row
        for row in run.predictions or ()
        if not row.is_right and row.confidence >= _SURE
    ]
    if sure:
        sure.sort(key=lambda row: -row.confidence)
        names = ", ".join(
            f"{shown(row.example)} (labelled {shown(row.label)}, answered"
            f" {shown(row.predicted)} at {row.confidence:.3f})"
            for row in sure[:_NAMES]
        )
        more = f", and {len(sure) - _NAMES} more" if sure[_NAMES:] else ""
        mistakes = counted(len(sure), "mistake")
        yield {
            "title": f"A look at the label{'s' if sure[1:] else ''} of {mistakes}",
            "text": f"The model was at least {_SURE:.0%} sure and disagrees with the"
            f" label: {names}{more}. Correct labels that are wrong, and train again.",
        }


def _larger_backbone(run: RunFiles) -> Iterator[Step]:
    """Accuracy that still rises at the last block, by more than its standard error."""
    evidence: Mapping[str, Any] | None = run.plan["evidence"]
    depths: Sequence[Mapping[str, Any]] = evidence["depths"] if evidence else ()
    if len(depths) < 2:
        return
    last, before = depths[-1], max(depths[:-1], key=lambda depth: depth["accuracy"])
    gain = last["accuracy"] - before["accuracy"]
    if gain > last["standard_error"] and last["accuracy"] < 1 - last["standard_error"]:
        yield {
            "title": "A larger backbone",
            "text": f"Accuracy still rises with depth: a linear probe has"
            f" {percent(last['accuracy'])} on {last['reads'][0]}, the last block, and"
            f" {percent(before['accuracy'])} on the best one before it; the standard"
            f" error is {percent(last['standard_error'])}. Compare backbones with:"
            " zoo rank.",
        }


def _small_test(run: RunFiles) -> Iterator[Step]:
    test = run.report["test"]
    low, high = interval(right_of(test), test["examples"])
    if high - low > _WIDE:
        yield {
            "title": "More test examples",
            "text": f"With {test['examples']} the interval of the accuracy spans"
            f" {100 * (high - low):.0f} points; four times as many would halve it.",
        }


def _calibration(run: RunFiles) -> Iterator[Step]:
    held_out = run.report["calibration"].get("held_out_examples", _FEWEST_TO_CALIBRATE)
    if held_out < _FEWEST_TO_CALIBRATE:
        yield {
            "title": "More validation examples",
            "text": f"{held_out} are too few to calibrate with, so every answer is"
            f" accepted; {_FEWEST_TO_CALIBRATE} are needed.",
        }


def _time(run: RunFiles) -> Iterator[Step]:
    skipped = run.report["phases_skipped"]
    if skipped:
        yield {
            "title": "More time",
            "text": f"No time was left for {', '.join(skipped)}: raise"
            " config.time_budget_seconds.",
        }
