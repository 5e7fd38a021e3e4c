"""Markdown from templates: every value is escaped, for Markdown and for HTML in it."""

from __future__ import annotations

import functools
import html
import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipelines.display.text import shown

# With a backslash in front they stand for themselves, in tables too.
_SPECIAL = re.compile(r"([\\`*_\[\]|~#$!])")


def document(template: str, **values: Any) -> str:
    """A page of Markdown, with one blank line between its parts."""
    page = _environment().get_template(template).render(values)
    return re.sub(r"\n{3,}", "\n\n", page).strip() + "\n"


def escaped(text: str) -> str:
    """The text on one line, as nothing but text.

    >>> escaped("<b>_x_</b>")
    '&lt;b&gt;\\\\_x\\\\_&lt;/b&gt;'
    """
    return _SPECIAL.sub(r"\\\1", html.escape(shown(text), quote=False))


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("pipelines.display"),
        autoescape=False,  # of HTML; `_printed` escapes that and Markdown
        finalize=_printed,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _printed(value: Any) -> Any:
    if isinstance(value, Markup):
        return value
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}"
    return escaped(value) if isinstance(value, str) else value
