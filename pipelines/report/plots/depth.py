"""Plots over the blocks of a backbone: accuracy and divergence by depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from pipelines.report.plots.svg import COLOURS, HEIGHT, WIDTH, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES_PER_BLOCK = 0.24


def accuracy_by_depth(evidence: Mapping[str, Any]) -> Markup | None:
    """The accuracy of a linear probe on each block alone, with standard errors.

    None of a single block.
    """
    depths = evidence["depths"]
    if len(depths) < 2:
        return None
    best = max(depths, key=lambda depth: depth["accuracy"])
    label = (
        f"Accuracy by depth: {depths[0]['accuracy']:.3f} at {depths[0]['reads'][0]},"
        f" best {best['accuracy']:.3f} at {best['reads'][0]},"
        f" {depths[-1]['accuracy']:.3f} at {depths[-1]['reads'][0]}, the last block."
    )

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        draw_accuracies(axes, evidence, COLOURS)
        axes.set_title("accuracy of each block alone", loc="left")
        _name_blocks(axes, evidence)

    return svg("depth", draw, label=label, width=_width(evidence), height=HEIGHT + 0.6)


def divergence_by_depth(evidence: Mapping[str, Any]) -> Markup | None:
    """The distance of the input of each block's BatchNorm from the source.

    None if no block has BatchNorm.
    """
    far = {block["block"]: block["median"] for block in evidence["divergences"]}
    if not far or len(evidence["depths"]) < 2:
        return None
    most = max(far, key=far.__getitem__)
    label = (
        f"Divergence from the source by depth: {far[most]:.3g} nats at {most}, the"
        f" most; {min(far.values()):.3g} the least."
    )

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        draw_divergences(axes, evidence, COLOURS["green"])
        axes.set_title("divergence from the source, nats", loc="left")
        _name_blocks(axes, evidence)

    width = _width(evidence)
    return svg("divergence", draw, label=label, width=width, height=HEIGHT + 0.6)


def draw_accuracies(
    axes: Axes, evidence: Mapping[str, Any], colours: Mapping[str, str]
) -> None:
    """Draws accuracies with standard errors, and levels to compare them with.

    `colours` has `blue`, `green`, `orange` and `muted`.
    """
    depths = evidence["depths"]
    axes.errorbar(
        range(len(depths)),
        [score["accuracy"] for score in depths],
        yerr=[score["standard_error"] for score in depths],
        color=colours["blue"],
        marker="o",
        markersize=4,
        capsize=3,
        label="block alone",
    )
    best = max(score["accuracy"] for score in evidence["heads"])
    levels = {
        "best head": (best, "green", "--"),
        "thumbnails alone": (evidence["pixel_accuracy"], "orange", "-."),
        "most frequent class": (evidence["majority_accuracy"], "muted", ":"),
    }
    for label, (level, colour, line) in levels.items():
        if level is not None:
            axes.axhline(level, linestyle=line, color=colours[colour], label=label)
    axes.set_ylabel("accuracy on examples left out")
    axes.set_ylim(0, 1.02)
    axes.legend(fontsize="small")


def draw_divergences(axes: Axes, evidence: Mapping[str, Any], colour: str) -> None:
    """Draws a bar for each block with BatchNorm."""
    from matplotlib.ticker import LogLocator

    far = {block["block"]: block["median"] for block in evidence["divergences"]}
    names = block_names(evidence)
    at = [place for place, name in enumerate(names) if name in far]
    axes.bar(at, [far[names[place]] for place in at], color=colour)
    axes.set_yscale("log", subs=())
    # Plain numbers, of one decade too: powers of ten would need mathematical text.
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")


def block_names(evidence: Mapping[str, Any]) -> list[str]:
    """The names of the blocks that were measured alone, from input to output."""
    return [depth["reads"][0] for depth in evidence["depths"]]


def _name_blocks(axes: Axes, evidence: Mapping[str, Any]) -> None:
    names = block_names(evidence)
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.grid(visible=False, axis="x")


def _width(evidence: Mapping[str, Any]) -> float:
    return max(WIDTH, _INCHES_PER_BLOCK * len(evidence["depths"]) + 1)
