"""The time of a run by stage, as a bar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from markupsafe import Markup

from pipelines.report.plots.svg import COLOURS, WIDTH, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INCHES_PER_STAGE = 0.28


def time_by_stage(seconds: Mapping[str, float]) -> Markup | None:
    """A bar for each stage, in order. `total` is said in the title."""
    stages = {name: value for name, value in seconds.items() if name != "total"}
    if not stages:
        return None
    total = seconds.get("total", sum(stages.values()))
    longest = max(stages, key=stages.__getitem__)
    label = (
        f"{total:.1f} seconds in {len(stages)} stages; the longest is {longest} with"
        f" {stages[longest]:.1f}."
    )

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        names = list(stages)
        bars = axes.barh(names, list(stages.values()), color=COLOURS["blue"])
        axes.bar_label(bars, [f"{value:.1f}" for value in stages.values()], padding=4)
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("seconds")
        axes.set_title(f"{total:.1f} seconds in all", loc="left")

    height = _INCHES_PER_STAGE * len(stages) + 1
    return svg("times", draw, label=label, width=WIDTH, height=height)
