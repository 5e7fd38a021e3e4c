"""The table of a plan and the evidence for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.display.phase_options import phase_options
from pipelines.display.tables import aligned, computed
from pipelines.display.text import short_lines


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
    words = f"precision: {computed(planned['compute'])}"
    seconds = ", ".join(f"{k} {v:.1f}" for k, v in planned["seconds"].items())
    return "\n\n".join([*parts, words, f"seconds: {seconds}"])


def _kept(phase: Mapping[str, Any]) -> str:
    if not phase["only_if_better"]:
        return "always"
    return "whole, if better" if phase.get("whole") else "only if better"


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


def _read(score: Mapping[str, Any]) -> str:
    count = len(score["reads"])
    return score["reads"][0] if count == 1 else f"{count} blocks"


def _scored(score: Mapping[str, Any]) -> tuple[object, ...]:
    accuracy, error = score["accuracy"], score["standard_error"]
    return score["width"], f"{accuracy:.4f}", f"{error:.4f}"
