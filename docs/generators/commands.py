"""The reference of the commands, from their parsers."""

from __future__ import annotations

import argparse

from pipelines.commands import COMMANDS
from pipelines.commands.console import Parser, command_named, parser_of

from .markdown import block, code, table


def page() -> str:
    """A section for each command: usage, arguments and options."""
    overview = table(
        ("command", "does"),
        [
            (f"[`zoo {name}`](#zoo-{name})", command_named(name).SUMMARY)
            for name in COMMANDS
        ],
    )
    return "\n\n".join([overview, *map(section, COMMANDS)])


def section(name: str) -> str:
    """Usage, arguments and options of one command."""
    parser = parser_of(name)
    parts = [f"## zoo {name}", parser.description or "", block(_usage(parser))]
    if parser.get_default("config_flags") is not None:
        parts.append(
            "Every field of [the config](config.md) is an option, too:"
            " `--config.FIELD=VALUE`, and `--config=FILE` for a file of them."
        )
    rows = [_row(parser, action) for action in _documented(parser)]
    return "\n\n".join([*parts, table(("option", "default", "meaning"), rows)])


def names_of(action: argparse.Action) -> str:
    """The option strings of an action, or the name of a positional argument."""
    if action.option_strings:
        return ", ".join(action.option_strings)
    return str(action.metavar or action.dest)


def _documented(parser: Parser) -> list[argparse.Action]:
    return [a for a in parser._actions if a.help != argparse.SUPPRESS]


def _usage(parser: Parser) -> str:
    usage = parser.format_usage().removeprefix("usage: ")
    first, *rest = usage.rstrip().splitlines()
    return "\n".join([first, *(f"    {line.strip()}" for line in rest)])


def _row(parser: Parser, action: argparse.Action) -> tuple[str, str, str]:
    help_text = (action.help or "") % {**vars(action), "prog": parser.prog}
    if action.choices is not None:
        help_text += f" One of {', '.join(map(str, action.choices))}."
    return code(names_of(action)), _default(action), help_text.strip()


def _default(action: argparse.Action) -> str:
    if action.default in (None, False, argparse.SUPPRESS, []):
        return "required" if action.required else ""
    return code(str(action.default))
