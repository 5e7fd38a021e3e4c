"""A plot of the accuracy of each block alone, from input to output."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Mapping
from typing import Any

FILE_NAME = "depths.png"
HOW_TO_GET = "No plot of the accuracy by depth: pip install 'zootune[plot]' brings one."
_INCHES_PER_BLOCK, _LEAST_INCHES = 0.35, 6.0


def can_draw() -> bool:
    """True if matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(evidence: Mapping[str, Any], *, title: str) -> bytes:
    """A PNG with the accuracy of the linear probe by depth, and its standard errors.

    `evidence` comes from `plan.json`. Lines mark the best head, thumbnails alone, and
    the most frequent class; below, where there is BatchNorm, stands the divergence of
    its input from the source.

    The plot does not depend on a matplotlibrc, which may lie in the current folder, nor
    on settings of the caller.

    Raises:
        ValueError: if such a file cannot even be read.
    """
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        return _drawn(evidence, title=title)


def _drawn(evidence: Mapping[str, Any], *, title: str) -> bytes:
    from matplotlib.figure import Figure

    depths = evidence["depths"]
    names = [depth["reads"][0] for depth in depths]
    far = {depth["block"]: depth["median"] for depth in evidence["divergences"]}
    width = max(_LEAST_INCHES, _INCHES_PER_BLOCK * len(names) + 2)
    # A figure of its own: pyplot would keep state, and may look for a display.
    figure = Figure(figsize=(width, 7 if far else 4.5), layout="constrained")
    rows = figure.subplots(2 if far else 1, sharex=True, squeeze=False)[:, 0]
    _accuracies(rows[0], names, evidence)
    if far:
        at = [place for place, name in enumerate(names) if name in far]
        rows[1].bar(at, [far[names[place]] for place in at], color="tab:grey")
        rows[1].set_ylabel("divergence of BatchNorm's input\nfrom the source, nats")
        rows[1].set_yscale("log")
    rows[-1].set_xticks(range(len(names)), names, rotation=90)
    rows[0].set_title(title)
    page = io.BytesIO()
    figure.savefig(page, format="png", dpi=120)
    return page.getvalue()


def _accuracies(axes, names: list[str], evidence: Mapping[str, Any]) -> None:
    depths = evidence["depths"]
    axes.errorbar(
        range(len(names)),
        [score["accuracy"] for score in depths],
        yerr=[score["standard_error"] for score in depths],
        marker="o",
        capsize=3,
        label="block alone",
    )
    best = max(score["accuracy"] for score in evidence["heads"])
    levels = {
        "best head": (best, "tab:green"),
        "thumbnails alone": (evidence["pixel_accuracy"], "tab:orange"),
        "most frequent class": (evidence["majority_accuracy"], "tab:red"),
    }
    for label, (level, colour) in levels.items():
        if level is not None:
            axes.axhline(level, linestyle="--", color=colour, label=label)
    axes.set_ylabel("accuracy on examples left out")
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.3)
    axes.legend()
