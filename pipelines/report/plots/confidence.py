"""Plots of confidence: reliability diagrams, and accuracy by coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from pipelines.report.plots.svg import COLOURS, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Points = Sequence[Mapping[str, float]]


def reliability_diagram(
    bins: Points, *, when: str, error: float, colour: str
) -> Markup | None:
    """Accuracy over mean confidence of bins of test; perfect is the diagonal."""
    span = max(abs(point["confidence"] - point["accuracy"]) for point in bins)
    label = (
        f"Reliability {when}: calibration error {error:.4f}; in {len(bins)} bins of"
        f" examples, confidence and accuracy differ by {span:.3f} at most."
    )

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        x, y = ([point[name] for point in bins] for name in ("confidence", "accuracy"))
        axes.plot(
            (0, 1), (0, 1), color=COLOURS["muted"], linestyle=":", label="perfect"
        )
        axes.vlines(x, x, y, color=COLOURS[colour], alpha=0.5, linewidth=4)
        axes.plot(x, y, color=COLOURS[colour], marker="o", label="bins of examples")
        axes.set_title(f"{when}: calibration error {error:.4f}", loc="left")
        least = max(0.0, min(*x, *y) - 0.05)
        axes.set_xlim(least, 1.01)
        axes.set_ylim(least, 1.02)
        axes.set_xlabel("mean confidence")
        axes.set_ylabel("accuracy")
        axes.legend(loc="upper left")

    return svg(f"reliability-{when.split()[0]}", draw, label=label)


def coverage_plot(points: Points, threshold: float) -> Markup | None:
    """Accuracy of the most confident examples by their share, and the threshold."""
    chosen = at_threshold(points, threshold)
    label = f"Accuracy by coverage: {points[-1]['accuracy']:.4f} of all examples" + (
        f"; {chosen['accuracy']:.4f} of the {chosen['coverage']:.1%} with a"
        f" confidence of {threshold:.4f} or more, the chosen threshold."
        if chosen
        else "; none reaches the chosen threshold."
    )

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        x, y = ([point[name] for point in points] for name in ("coverage", "accuracy"))
        axes.plot(x, y, color=COLOURS["blue"], marker="o" if len(x) < 3 else None)
        if chosen:
            place = (chosen["coverage"], chosen["accuracy"])
            axes.axvline(place[0], color=COLOURS["orange"], linestyle="--", linewidth=1)
            axes.plot(*place, color=COLOURS["orange"], marker="D", markersize=8)
            axes.annotate(
                f"confidence ≥ {threshold:.3f}",
                place,
                xytext=(-8 if place[0] > 0.5 else 8, -16),
                textcoords="offset points",
                horizontalalignment="right" if place[0] > 0.5 else "left",
            )
        axes.set_title("accuracy of the answers that are kept", loc="left")
        axes.set_xlim(0, 1.02)
        axes.set_ylim(max(0.0, min(y) - 0.05), 1.01)
        axes.set_xlabel("coverage: share of examples, most confident first")
        axes.set_ylabel("accuracy")

    return svg("coverage", draw, label=label)


def at_threshold(points: Points, threshold: float) -> Mapping[str, float] | None:
    """The last point whose examples all have this confidence at least."""
    kept = [point for point in points if point["threshold"] >= threshold]
    return kept[-1] if kept else None
