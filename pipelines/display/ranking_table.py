"""The table of backbones, best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.display.tables import aligned

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
# Of names that a sentence lists.
_SHOWN = 3


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
