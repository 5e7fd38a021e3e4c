"""What pages of HTML are made of: a frame that loads nothing, text, and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from pipelines.display.text import shown

# Nothing comes from elsewhere, and nothing runs, whatever is in the text of a page.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem;
  padding: 0 1rem; color: #222; background: #fff; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; } td, th { padding: .1rem .8rem .1rem 0;
  text-align: left; } td.number { text-align: right; }
"""

Cell = str | int | float | None


def document(title: str, body: Iterable[str], *, style: str = "") -> str:
    """The page, in ASCII, so that it is the same in every encoding.

    `title` is text; `body` and `style` are HTML and CSS.
    """
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{text(title)}</title><style>{_STYLE}{style}</style></head><body>",
        *body,
        "</body></html>\n",
    ]
    return "\n".join(parts).encode("ascii", "xmlcharrefreplace").decode("ascii")


def text(words: str) -> str:
    """Any text as HTML that shows it, on one line and without effect."""
    return escape(shown(words))


def table(
    caption: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> list[str]:
    """Rows under a header, with the first cell of each naming its row.

    Strings are text and stand left, numbers stand right: whole ones as they are,
    others with four digits. `None` is a dash.
    """
    columns = "".join(f'<th scope="col">{text(name)}</th>' for name in header)
    return [
        f"<table><caption>{text(caption)}</caption>",
        f"<thead><tr>{columns}</tr></thead><tbody>",
        *(_row(row) for row in rows),
        "</tbody></table>",
    ]


def folded(summary: str, inside: Iterable[str]) -> list[str]:
    """What shows when it is asked for."""
    return [f"<details><summary>{text(summary)}</summary>", *inside, "</details>"]


def _row(cells: Sequence[Cell]) -> str:
    first, *others = cells
    name = text(first) if isinstance(first, str) else _number(first)
    found = "".join(
        f"<td>{text(cell)}</td>"
        if isinstance(cell, str)
        else f'<td class="number">{_number(cell)}</td>'
        for cell in others
    )
    return f'<tr><th scope="row">{name}</th>{found}</tr>'


def _number(value: int | float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
