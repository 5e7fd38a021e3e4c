"""The plan and its reasons, with the evidence: accuracy and divergence by depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.display.html import Cell, Table
from pipelines.report.plots.depth import accuracy_by_depth, divergence_by_depth
from pipelines.report.run_files import RunFiles
from pipelines.report.sections.adaptation import adaptation
from pipelines.report.sections.distillation import distillation


def plan(run: RunFiles) -> dict[str, Any]:
    """Action, reasons, compared backbones; and `evidence`, None if there is not any."""
    return {
        "action": run.plan["action"],
        "reasons": run.plan["reason"].splitlines(),
        "backbones": _backbones(run.report.get("backbone_choice")),
        "adaptation": adaptation(run),
        "distillation": distillation(run),
        "evidence": _evidence(run.plan["evidence"]),
    }


def _backbones(choice: Mapping[str, Any] | None) -> Table | None:
    """The backbones that `backbone=auto` compared, cheapest first; else None."""
    if not choice or not choice["compared"]:
        return None
    columns = (
        ("backbone", "backbone"),
        ("px", "input_size_px"),
        (f"{choice['metric']}, left out", "accuracy"),
        ("behind the best", "behind"),
        ("standard error", "standard_error"),
        ("multiply-adds", "multiply_adds"),
    )
    return Table(
        "Backbones that were compared",
        tuple(title for title, _ in columns),
        [tuple(row[key] for _, key in columns) for row in choice["compared"]],
    )


def _evidence(evidence: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The tables of the linear probes, and the plots of them by depth."""
    if evidence is None:
        return None
    has_depth = len(evidence["depths"]) > 1
    return {
        "has_depth": has_depth,
        "has_divergence": has_depth and bool(evidence["divergences"]),
        "accuracy": accuracy_by_depth(evidence),
        "divergence": divergence_by_depth(evidence),
        "heads": _heads(evidence),
        "baselines": Table(
            "Without the backbone",
            ("baseline", "accuracy"),
            [
                ("most frequent class", evidence["majority_accuracy"]),
                ("tiny thumbnails alone", evidence["pixel_accuracy"]),
            ],
        ),
        "depths": _depths(evidence),
    }


_MEASURED = ("width", "accuracy, left out", "standard error")


def _heads(evidence: Mapping[str, Any]) -> Table:
    rows = [(_reads(head), head["grid"], *_scored(head)) for head in evidence["heads"]]
    rows += [
        (f"cut: {_reads(head)}", head["grid"], *_scored(head))
        for head in evidence.get("cuts", ())
    ]
    return Table("Inputs that a head could read", ("reads", "grid", *_MEASURED), rows)


def _depths(evidence: Mapping[str, Any]) -> Table:
    medians = {block["block"]: block["median"] for block in evidence["divergences"]}
    return Table(
        "Linear probes by depth",
        ("block", *_MEASURED, "divergence from the source, nats"),
        [
            (depth["reads"][0], *_scored(depth), medians.get(depth["reads"][0]))
            for depth in evidence["depths"]
        ],
    )


def _reads(score: Mapping[str, Any]) -> str:
    count = len(score["reads"])
    return score["reads"][0] if count == 1 else f"{count} blocks"


def _scored(score: Mapping[str, Any]) -> tuple[Cell, ...]:
    return score["width"], score["accuracy"], score["standard_error"]
