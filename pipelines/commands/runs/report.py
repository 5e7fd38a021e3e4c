"""`zoo report`: writes the page of a finished run again."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines.commands.console import Answer
from pipelines.errors import ConfigError

SUMMARY = "write the page of a finished run again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("run", type=Path, metavar="RUN")


def run(arguments: argparse.Namespace) -> Answer:
    """Writes the page, and answers with its path.

    Raises:
        ConfigError: if another version left the files, or the page cannot be written.
    """
    from pipelines.report import run_files, run_page
    from pipelines.runs.folder import RunFolder

    files = run_files.read(arguments.run)
    path = arguments.run / run_page.FILE_NAME
    try:
        page = run_page.page(files)
    except run_page.DO_NOT_FIT as error:
        reason = (
            f"have no {error}"
            if isinstance(error, KeyError)
            else f"do not fit ({error!r})"
        )
        raise ConfigError(
            f"The files of {arguments.run} {reason}, so another version of"
            " zootune left them, or they were edited. Make the page with that one, or"
            " train again."
        ) from error
    try:
        RunFolder(arguments.run).write_text(run_page.FILE_NAME, page)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
    return Answer({"report": str(path)}, str(path))
