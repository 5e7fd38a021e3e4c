"""Learning curves: loss and accuracy of training and validation, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from pipelines.report.plots.svg import COLOURS, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINES = {"": ("training", "blue", "o"), "val_": ("validation", "orange", "s")}
# Markers of more epochs would be a band.
_MARKED = 40


def learning_curve(history: Sequence[Mapping[str, Any]], measure: str) -> Markup | None:
    """The plot of `loss` or `accuracy` over epochs; phases are marked by lines.

    None if no epoch has the measure.
    """
    columns = {
        name: [row.get(f"{prefix}{measure}") for row in history]
        for prefix, (name, *_) in _LINES.items()
    }
    known = {
        name: [value for value in values if value is not None]
        for name, values in columns.items()
    }
    if not any(known.values()):
        return None
    label = f"{measure.capitalize()} over {len(history)} epochs: " + "; ".join(
        f"{name} from {values[0]:.4f} to {values[-1]:.4f}"
        for name, values in known.items()
        if values
    )

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import MaxNLocator

        axes = figure.subplots()
        for name, colour, marker in _LINES.values():
            _line(axes, columns[name], name, colour, marker)
        _phases(axes, [row.get("phase", "") for row in history])
        axes.set_title(measure, loc="left")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlim(0.5, len(history) + 0.5)
        axes.legend()

    return svg(f"learning-{measure}", draw, label=label)


def _line(
    axes: Axes, values: Sequence[float | None], name: str, colour: str, marker: str
) -> None:
    points = [(at, y) for at, y in enumerate(values, start=1) if y is not None]
    if points:
        axes.plot(
            *zip(*points),
            color=COLOURS[colour],
            marker=marker if len(points) <= _MARKED else None,
            markersize=4,
            linestyle="-" if name == "training" else "--",
            label=name,
        )


def _phases(axes: Axes, phases: Sequence[str]) -> None:
    """A line before the first epoch of every later phase, with its name."""
    for at in range(1, len(phases)):
        if phases[at] != phases[at - 1]:
            axes.axvline(at + 0.5, color=COLOURS["muted"], linewidth=1, linestyle=":")
            axes.annotate(
                phases[at],
                (at + 0.5, 1),
                xycoords=("data", "axes fraction"),
                xytext=(3, -9),
                textcoords="offset points",
            )
