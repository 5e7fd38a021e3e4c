"""Plots by matplotlib as inline SVG, in the colours and the font of the page.

A plot draws with the colours of `COLOURS`, which become CSS variables, so that it
follows the light or dark theme of the page. Its texts stay texts.
"""

from __future__ import annotations

import importlib.util
import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Values that no plot needs: each stands for the CSS variable of its name.
COLOURS = {
    "ink": "#010101",
    "muted": "#020202",
    "grid": "#030303",
    "blue": "#040404",
    "orange": "#050505",
    "green": "#060606",
}
NO_MATPLOTLIB = (
    "No plot here, because matplotlib is not installed: pip install 'zootune[plot]',"
    " and then make the page again with zoo report."
)
# In inches of 96 CSS pixels at most: two fit beside each other, one on a phone.
WIDTH, HEIGHT = 5.0, 3.3

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9.5,
    # A dollar sign in the name of a block or a class is one.
    "text.parse_math": False,
    "text.color": COLOURS["ink"],
    "axes.edgecolor": COLOURS["muted"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "grid.color": COLOURS["grid"],
    "grid.linewidth": 0.8,
    "xtick.color": COLOURS["muted"],
    "ytick.color": COLOURS["muted"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.labelcolor": COLOURS["ink"],
    "legend.frameon": False,
    "lines.linewidth": 2.0,
}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def can_draw() -> bool:
    """True if matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def svg(
    name: str,
    draw: Callable[[Figure], None],
    *,
    label: str,
    width: float = WIDTH,
    height: float = HEIGHT,
) -> Markup | None:
    """The plot that `draw` makes on a figure, as an element of a page.

    The ids in it begin with `name`; `label` has in words the numbers that matter.
    Width and height are inches. The same values give the same text, in spite of a
    matplotlibrc and of the settings of the caller.

    None without matplotlib, or where such a file cannot be read.
    """
    if not can_draw():
        return None
    try:
        import matplotlib

        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            style: Any = {**_STYLE, "svg.hashsalt": name}
            matplotlib.rcParams.update(style)
            return _element(name, _saved(draw, width, height), label)
    except (ImportError, ValueError):
        return None


def _saved(draw: Callable[[Figure], None], width: float, height: float) -> str:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # A figure of its own: pyplot would keep state, and may look for a display.
    figure = Figure(figsize=(width, height), layout="constrained")
    draw(figure)
    page = io.StringIO()
    # Not `savefig`, which draws twice, for sizes of paper that an element has not.
    FigureCanvasSVG(figure).print_svg(page, metadata=_NO_METADATA)
    return page.getvalue()


def _element(name: str, saved: str, label: str) -> Markup:
    """The SVG without what a page does not need, with ids of its own."""
    body = saved[saved.index("<svg") :].strip()
    start, content = body.split(">", 1)
    box = re.search(r'viewBox="([^"]*)"', start)
    width, height = box.group(1).split()[2:] if box else ("360", "240")
    content = re.sub(r'\bid="', f'id="{name}-', content)
    content = re.sub(r"(url\(|href=\")#", rf"\1#{name}-", content)
    # A style of the file, which would be one of the whole page.
    content = re.sub(r"<style.*?</style>", "", content, flags=re.DOTALL)
    # The font of the page, in the size of the plot.
    content = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", content)
    content = re.sub(r"font-family:[^;\"]*;?", "", content)
    for colour, value in COLOURS.items():
        content = content.replace(value, f"var(--{colour})")
    content = re.sub(r">\s+<", "><", content)
    most = f"max-width: {float(width) * 4 / 3:.0f}px"
    return Markup(
        f'<svg class="plot" viewBox="0 0 {width} {height}" style="{most}" role="img"'
        f' aria-label="{escape(label)}">{content}'
    )
