"""A series as a small line without axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from pipelines.report.plots.svg import COLOURS, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CHANNELS = (("blue", "-"), ("orange", "--"), ("green", ":"))


def sparkline(name: str, series: Sequence[Sequence[float]]) -> Markup | None:
    """A line for each channel `[channels][steps]`, three at most.

    The ids in it begin with `name`. None without matplotlib.
    """
    values = [value for channel in series for value in channel]
    label = (
        f"series of {len(series)} channels, from {min(values):.4g} to {max(values):.4g}"
        if values
        else "empty series"
    )

    def draw(figure: Figure) -> None:
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        for channel, (colour, line) in zip(series, _CHANNELS):
            axes.plot(channel, color=COLOURS[colour], linestyle=line, linewidth=1.2)

    return svg(f"series-{name}", draw, label=label, width=1.5, height=0.7)
