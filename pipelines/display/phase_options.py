"""The options of a phase in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def phase_options(phase: Mapping[str, Any]) -> Iterator[str]:
    """The options of a phase that trains blocks, where they are not the usual ones."""
    if not any(factor > 0 for _, factor in phase["block_multipliers"]):
        return
    if phase["optimizer"] == "sgd":
        yield f"momentum {phase['momentum']:g}"
    if phase["tune"] != "all":
        kinds = {"bias": "biases", "norm": "scales and offsets of norms"}
        yield f"trains nothing but the {kinds[phase['tune']]} of its blocks"
    if phase["lora_rank"]:
        yield f"trains factors of rank {phase['lora_rank']}"
    if phase["label_smoothing"]:
        yield f"label smoothing {phase['label_smoothing']:g}"
    if phase.get("number_loss", "huber") != "huber":
        yield "squared loss"
    if phase["accumulate_steps"] > 1:
        yield f"one update for {phase['accumulate_steps']} batches"
