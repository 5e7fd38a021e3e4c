"""Sphinx extension: generated text in place of lines `% generated: NAME`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from . import commands, config, errors, python_api

GENERATED: dict[str, Callable[[], str]] = {
    "commands": commands.page,
    "config": config.page,
    "errors": errors.page,
    "exit codes": errors.exit_codes,
    "python": python_api.page,
    "server errors": errors.server_page,
}
_MARK = re.compile(r"^% generated: (.+)$", re.MULTILINE)


def with_generated(text: str) -> str:
    """The text of a page, with every mark replaced.

    Raises:
        KeyError: for a mark of another name.
    """
    return _MARK.sub(lambda mark: GENERATED[mark[1]](), text)


def slug(heading: str) -> str:
    """The anchor of a heading, as on GitHub; a config field keeps its parts."""
    text = heading.strip().lower()
    if text.startswith("config."):
        return text.replace(".", "-")
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def setup(app: Any) -> dict[str, bool]:
    """Connects the extension; Sphinx calls it."""
    app.connect("source-read", _replace)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _replace(_app: Any, _name: str, source: list[str]) -> None:
    source[0] = with_generated(source[0])
