"""What all commands do at a terminal alike: say what is wrong, and what they do."""

from __future__ import annotations

import argparse
import json
import logging
from typing import Any, NoReturn, TextIO

from pipelines.errors import ConfigError


class Parser(argparse.ArgumentParser):
    """Says what is wrong first and how it is used after that.

    Raises:
        ConfigError: in place of an exit, for wrong usage.
    """

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}\n{self.format_usage()}".rstrip())


def print_json(values: Any) -> None:
    """Prints the result of a command that was asked for JSON."""
    print(json.dumps(values, indent=2))


def say_progress(stream: TextIO) -> None:
    """Writes what goes on as plain lines, and warnings of other libraries.

    To stderr where stdout is the result, so that nothing stands between its lines.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=stream)
    logging.getLogger("zootune").setLevel(logging.INFO)
