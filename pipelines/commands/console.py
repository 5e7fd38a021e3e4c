"""The part that all commands share: flags, printing, progress, and the exit code.

A command is a module of the table `COMMANDS`: `SUMMARY`, `add_arguments(parser)`, and
`run(arguments)`, which gives an `Answer`. Its values are printed with `--json`, its
text without.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Protocol, TextIO, cast

from pipelines.commands import COMMANDS
from pipelines.errors import ConfigError
from pipelines.runtime.exit_codes import exit_code_of


@dataclasses.dataclass(frozen=True)
class Answer:
    """The result of a command, as values for JSON and as text for a person.

    `error` is raised after the answer was printed.
    """

    values: Mapping[str, Any]
    text: str
    error: Exception | None = None


class Command(Protocol):
    """A module that is a command."""

    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds the flags of the command."""

    def run(self, arguments: argparse.Namespace) -> Answer | None:
        """Carries out the command; None from a server, which prints for itself."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors begin with the fault, and end with the usage.

    Raises:
        ConfigError: in place of an exit, for wrong usage.
    """

    def error(self, message: str) -> NoReturn:
        """Raises the error of wrong usage."""
        raise ConfigError(f"{message}\n{self.format_usage()}".rstrip())


def command_named(name: str) -> Command:
    """The command of this name, imported."""
    return cast(
        Command, importlib.import_module(f"pipelines.commands.{COMMANDS[name]}")
    )


def execute(name: str, arguments: Sequence[str]) -> int:
    """Runs one command, prints its answer, and gives the exit code."""
    return exit_code_of(lambda: _execute(name, arguments), debug="--debug" in arguments)


def _execute(name: str, arguments: Sequence[str]) -> None:
    command = command_named(name)
    try:
        values = parsed(name, arguments)
    except SystemExit:  # argparse printed the help
        return
    prints_json = getattr(values, "json", False)
    # Keras prints epochs, and only the object belongs on stdout.
    with contextlib.redirect_stdout(sys.stderr if prints_json else sys.stdout):
        answer = command.run(values)
    if answer is None:
        return
    print(json.dumps(answer.values, indent=2) if prints_json else answer.text)
    if answer.error:
        raise answer.error


def parser_of(name: str) -> Parser:
    """The parser of a command, with the flags that all have."""
    command = command_named(name)
    summary = f"{command.SUMMARY[0].upper()}{command.SUMMARY[1:]}."
    parser = Parser(prog=f"zoo {name}", description=summary)
    command.add_arguments(parser)
    # A server has no result.
    if name != "serve":
        parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def parsed(name: str, arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments of a command, with the flags of a config as `config_flags`.

    Raises:
        ConfigError: for wrong usage.
    """
    parser = parser_of(name)
    values, rest = parser.parse_known_args(arguments)
    if hasattr(values, "config_flags"):
        values.config_flags = rest
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return values


def add_config_flags(parser: argparse.ArgumentParser) -> None:
    """Lets a command take the flags of a config; they come as `config_flags`."""
    from pipelines.config.flags import described

    parser.set_defaults(config_flags=[])
    parser.allow_abbrev = False
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.usage = "%(prog)s [--config=FILE] [--config.FIELD=VALUE ...] [OPTION ...]"
    parser.epilog = "\n".join(
        [
            "--config=FILE is a Python file with a function get_config(), or the",
            "config.json of a run. --config.FIELD=VALUE sets a field. The fields with",
            "their defaults:",
            *described(),
        ]
    )


def say_progress(stream: TextIO) -> None:
    """Writes progress as plain lines, and warnings of other libraries.

    To stderr where stdout is the result, so that nothing stands between its lines.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=stream)
    logging.getLogger("zootune").setLevel(logging.INFO)
