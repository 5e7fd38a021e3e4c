"""The table of heads over episodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.display.tables import aligned


def few_shot_table(values: Mapping[str, Any]) -> str:
    """The accuracy of each head with its interval, and the episodes in a sentence."""
    setting = values["setting"]
    base = values["base"]
    if values["base_classes"]:
        base = f"{base} ({values['base_classes']} classes)"
    blocks = len(values["reads"])
    lines = [
        f"{setting['episodes']} episodes, {setting['ways']}-way"
        f" {setting['shots']}-shot, {setting['queries']} queries of each class,"
        f" drawn from {values['classes']} classes",
        f"{values['backbone']}, {values['width']} features of {blocks}"
        f" {'block' if blocks == 1 else 'blocks'}, around the mean of {base}",
    ]
    rows = [("head", "accuracy", "95 % interval")]
    for score in values["heads"]:
        low, high = (
            score["accuracy"] + sign * score["interval"] for sign in (-1.0, 1.0)
        )
        rows.append(
            (score["head"], f"{score['accuracy']:.4f}", f"{low:.4f} to {high:.4f}")
        )
    seconds = ", ".join(f"{k} {v:.1f}" for k, v in values["seconds"].items())
    return "\n\n".join(["\n".join(lines), aligned(rows), f"seconds: {seconds}"])
