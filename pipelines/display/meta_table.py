"""The table of a learned optimizer beside tuned ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.display.tables import aligned


def meta_table(values: Mapping[str, Any]) -> str:
    """A row for each step and peer, wins and losses, and the file in a sentence."""
    setting = values["setting"]
    episode = setting["tasks"]["episode"]
    seen, held_out = values["classes"]
    lines = [
        f"{setting['rounds']} rounds of tasks of {episode['ways']} classes with"
        f" {episode['shots']} examples each, drawn from {seen} classes; judged on"
        f" {held_out} others",
        f"{values['backbone']}, {values['width']} features; loss of a round:"
        f" {values['losses'][0]:.3f} at first, {values['losses'][-1]:.3f} at last",
    ]
    rows = [("examples", "step", "peer", "its best rate", "learned", "peer's loss", "")]
    rows += [
        (
            row["examples"],
            str(row["step"]),
            row["peer"],
            f"{row['rate']:g}",
            f"{row['learned']:.4f}",
            f"{row['loss']:.4f}",
            _verdict(row["gain"], row["interval"]),
        )
        for row in sorted(
            values["comparison"], key=lambda row: (row["examples"], row["step"])
        )
    ]
    seconds = ", ".join(f"{k} {v:.1f}" for k, v in values["seconds"].items())
    use = f'zootune.LearnedOptimizer.load("{values["path"]}")'
    return "\n\n".join(
        ["\n".join(lines), aligned(rows), f"use: {use}", f"seconds: {seconds}"]
    )


def _verdict(gain: float, interval: float) -> str:
    """A win or loss where the 95 % interval of the difference leaves 0 out."""
    if abs(gain) <= interval:
        return "even"
    return "wins" if gain > 0 else "loses"
