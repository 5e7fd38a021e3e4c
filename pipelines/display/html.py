"""HTML pages from templates: they load nothing, and every value is escaped."""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipelines.display.text import shown

Cell = str | int | float | None


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows under a header; the first cell of a row names it.

    Strings stand left and numbers right: whole numbers as they are, others with four
    digits. `None` is a dash.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def document(template: str, *, script: str = "", **values: Any) -> str:
    """A page in ASCII, so that it is the same in every encoding.

    A page runs no script but the one of this package that `script` names, as a file
    beside the templates: its policy has the hash of it.
    """
    source = _source(script) if script else ""
    page = _environment().get_template(template)
    text = page.render(
        values,
        script=Markup(source),
        script_hash=_sha256(source) if source else "",
    )
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _source(script: str) -> str:
    """A script as browsers hash it, with lines that end in one character."""
    path = resources.files("pipelines.display") / "templates" / script
    return path.read_text(encoding="ascii").replace("\r\n", "\n")


def _sha256(source: str) -> str:
    digest = hashlib.sha256(source.encode("ascii")).digest()
    return base64.b64encode(digest).decode("ascii")


def part(template: str, **values: Any) -> Markup:
    """A part of a page, which its template prints without escaping it again."""
    return Markup(_environment().get_template(template).render(values))


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipelines.display"),
        autoescape=True,
        finalize=_printed,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = _cell
    return environment


def _printed(value: Any) -> Any:
    """Text on one line, without control characters and marks of direction."""
    is_text = isinstance(value, str) and not isinstance(value, Markup)
    return shown(value) if is_text else value


def _cell(value: Cell) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
