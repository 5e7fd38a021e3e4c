"""Rows of the result of a run that only some runs have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def fold_rows(scores: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """The spread of folds, where the run has some; validation is out of fold then."""
    if not scores:
        return []
    spread = f"{scores['mean']:.4f}, standard deviation"
    spread += f" {scores['standard_deviation']:.4f}"
    each = ", ".join(f"{value:.4f}" for value in scores["per_fold"])
    rows = [(f"{scores['count']} folds", f"{scores['metric']} {spread} ({each})")]
    if scores.get("chosen") is not None:
        rows.append(("head", f"the best, of fold {scores['chosen'] + 1}"))
    return rows


def view_rows(choice: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """The choice of views at test time, where there was one."""
    if not choice:
        return []
    adds = choice["multiply_adds"]
    cost = "" if adds is None else f" {adds / 1e6:,.0f} M multiply-adds an image."
    return [("test views", f"{choice['views']}. {choice['reason']}{cost}")]


def adaptation_rows(record: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """The target of a run, and its distance before and after, where it has one."""
    if not record:
        return []
    before, after = record["before"], record["after"]
    words = f"proxy A-distance {before['distance']:.2f}"
    if after:
        words += f" before, {after['distance']:.2f} after {record['method']}"
        accuracy = (before["validation_accuracy"], after["validation_accuracy"])
        if None not in accuracy:
            words += "; source validation {:.4f} before, {:.4f} after".format(*accuracy)
    else:
        words += ", not adapted; the reason is in report.json"
    return [
        (
            "target",
            f"{record['examples']} examples, {words}; all other measures are of"
            " examples of the source",
        )
    ]


def distillation_rows(record: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """The teacher of a run, where it has one."""
    if not record:
        return []
    words = f"{record['teacher']} ({record['backbone']}), temperature"
    words += f" {record['temperature']:g}, weight {record['weight']:g}"
    if record["unlabelled"]:
        words += f", and {record['unlabelled']} examples without labels"
    return [("teacher", words)]


def unlabelled_rows(record: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What examples without labels were worth, where the run was given some."""
    if not record:
        return []
    words = f"{record['examples']} examples of {record['reference']}"
    if record["method"] == "none":
        words += ", not used; the reason is in report.json"
    else:
        judged = record["judged"]
        words += (
            f", labels spread to them: out of fold {judged['before']:.4f} before,"
            f" {judged['after']:.4f} after"
        )
    return [("without labels", words)]


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
