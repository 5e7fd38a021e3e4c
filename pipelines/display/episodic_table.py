"""The result of a backbone that was trained in episodes, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def episodic_table(values: Mapping[str, Any]) -> str:
    """What was trained, what it gained on classes it never saw, and what to do next."""
    setting = values["setting"]
    episode, losses = setting["episode"], values["losses"]
    seen, held_out = values["classes"]
    trained = ", ".join(values["trained_blocks"])
    seconds = ", ".join(f"{k} {v:.1f}" for k, v in values["seconds"].items())
    return "\n".join(
        [
            f"{values['backbone']}, blocks {trained}: {setting['method']},"
            f" {setting['rounds']} episodes of {episode['ways']} classes with"
            f" {episode['shots']} examples each, drawn from {seen} classes",
            f"loss of queries: {losses[0]:.3f} at first, {losses[-1]:.3f} at last",
            f"nearest class mean on {values['episodes']} episodes of {held_out} other"
            f" classes: {values['before']:.4f} before, {values['after']:.4f} after",
            f"gain {values['gain']:+.4f}, 95 % interval"
            f" {values['interval']:.4f} to each side: {_verdict(values)}",
            f"seconds: {seconds}",
        ]
    )


def _verdict(values: Mapping[str, Any]) -> str:
    if values["gain"] > values["interval"]:
        return f"`zoo publish {values['path']} --name NAME` makes it a backbone"
    if values["gain"] < -values["interval"]:
        return "it lost; use the backbone as it was"
    return "no difference; use the backbone as it was"
