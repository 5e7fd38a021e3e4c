"""The code blocks of the pages, with the marks above them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# In the order in which a reader meets them.
PARTS = (
    *("start", "tutorials", "howto", "reference", "explanation", "coming_from"),
    "results",
)
LANGUAGES = ("sh", "python")
_FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,})(?P<language>[^\n`]*)$")
_MARK = re.compile(r"^(?:% |<!-- )(not run|shows|exits): (.*?)(?: -->)?$")
_TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^(?:zoo|pip|docker|curl|python3?|make|\$) ")


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block of a page; `line` is the number of its fence."""

    page: Path
    line: int
    language: str
    text: str
    not_run: str = ""
    shows: tuple[str, ...] = ()
    exits: int = 0

    @property
    def is_code(self) -> bool:
        """True for what a reader would run."""
        return self.language in LANGUAGES

    @property
    def place(self) -> str:
        """The page and the line, for messages."""
        return f"{self.page.parent.name}/{self.page.name}:{self.line}"


def pages() -> list[Path]:
    """The pages of all parts, in the order of their tables of contents."""
    paths = []
    for part in PARTS:
        index = DOCS / part / "index.md"
        paths.append(index)
        for entry in entries(index.read_text()):
            paths.append(index.parent / f"{entry}.md")
    return paths


def entries(text: str) -> list[str]:
    """The names in the tables of contents of a page."""
    names = []
    for table in _TOCTREE.findall(text):
        names += [line for line in table.split("\n") if line and line[0] not in ": "]
    return names


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order.

    Raises:
        ValueError: for a block that does not end, and for a mark that stands over
            nothing.
    """
    made: list[Block] = []
    marks: list[tuple[str, str]] = []
    lines = page.read_text().splitlines()
    i = 0
    while i < len(lines):
        if mark := _MARK.match(lines[i]):
            marks.append((mark[1], mark[2]))
        elif fence := _FENCE.match(lines[i]):
            end = _end_of(lines, i, fence["fence"], page)
            text = "\n".join(lines[i + 1 : end]) + "\n"
            made.append(_block(page, i + 1, fence["language"].strip(), text, marks))
            marks, i = [], end
        elif marks and lines[i].strip():
            raise ValueError(f"{page}:{i + 1}: a mark must stand above a block")
        i += 1
    if marks:
        raise ValueError(f"{page}: a mark must stand above a block")
    return made


def hidden_commands(page: Path) -> list[str]:
    """Commands in blocks that nobody runs, and code in blocks that are indented."""
    shown = [block for block in blocks(page) if not block.is_code]
    rows = [
        f"{block.place}: {line}"
        for block in shown
        for line in block.text.splitlines()
        if _COMMAND.match(line) or block.language == "console"
    ]
    text = page.read_text()
    rows += [
        f"{page.name}: {m}" for m in re.findall(r"^ +```(?:sh|python).*", text, re.M)
    ]
    return rows


def _end_of(lines: list[str], start: int, fence: str, page: Path) -> int:
    for i in range(start + 1, len(lines)):
        if lines[i].rstrip() == fence:
            return i
    raise ValueError(f"{page}:{start + 1}: the block does not end")


def _block(
    page: Path, line: int, language: str, text: str, marks: list[tuple[str, str]]
) -> Block:
    values = dict(marks)
    return Block(
        page,
        line,
        language,
        text,
        not_run=values.get("not run", ""),
        shows=tuple(value for name, value in marks if name == "shows"),
        exits=int(values.get("exits", 0)),
    )
