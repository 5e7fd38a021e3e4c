"""MyST text of plain values: code that may hold backticks, tables, cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def code(text: str) -> str:
    """Inline code, whatever it holds."""
    if "`" not in text:
        return f"`{text}`"
    return f"`` {text} ``"


def cell(text: str) -> str:
    """One line for a table; a bar would end the cell."""
    return " ".join(text.split()).replace("|", r"\|")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are MyST."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(cell, cells))} |" for cells in lines)


def block(text: str, language: str = "text") -> str:
    """A fenced block that nobody runs."""
    return f"```{language}\n{text.strip()}\n```"


def plain(text: str) -> str:
    """Text of a message: backticks enclose code, and no other sign has a meaning."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return _escaped(text)
    return "".join(
        f"`{part}`" if i % 2 and part else _escaped(part)
        for i, part in enumerate(parts)
    )


def _escaped(text: str) -> str:
    return re.sub(r"([\\*_<>\[\]{}$#~`|])", r"\\\1", text)
