"""A plot of the accuracy of each block alone, from input to output."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from pipelines.report.plots import depth

FILE_NAME = "depths.png"
HOW_TO_GET = "No plot of the accuracy by depth: pip install 'zootune[plot]' brings one."
_INCHES_PER_BLOCK, _LEAST_INCHES = 0.35, 6.0
_COLOURS = {
    "blue": "tab:blue",
    "green": "tab:green",
    "orange": "tab:orange",
    "muted": "tab:grey",
}


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

    names = depth.block_names(evidence)
    has_bars = bool(evidence["divergences"])
    width = max(_LEAST_INCHES, _INCHES_PER_BLOCK * len(names) + 2)
    # A figure of its own: pyplot would keep state, and may look for a display.
    figure = Figure(figsize=(width, 7 if has_bars else 4.5), layout="constrained")
    rows = figure.subplots(2 if has_bars else 1, sharex=True, squeeze=False)[:, 0]
    depth.draw_accuracies(rows[0], evidence, _COLOURS)
    rows[0].grid(alpha=0.3)
    if has_bars:
        depth.draw_divergences(rows[1], evidence, _COLOURS["muted"])
        rows[1].set_ylabel("divergence of BatchNorm's input\nfrom the source, nats")
    rows[-1].set_xticks(range(len(names)), names, rotation=90)
    rows[0].set_title(title)
    page = io.BytesIO()
    figure.savefig(page, format="png", dpi=120)
    return page.getvalue()
