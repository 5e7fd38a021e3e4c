"""The console command `zoo`: picks one of the table in `commands`, and runs it.

Only the command that is named is imported, and none imports TensorFlow before it needs
it, so that listing and help answer at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines.commands import COMMANDS
from pipelines.commands.console import Parser, command_named, execute
from pipelines.runtime.exit_codes import exit_code_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code; wrong usage is 2."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and arguments[0] in COMMANDS:
        return execute(arguments[0], arguments[1:])
    return exit_code_of(lambda: _overview(arguments), debug="--debug" in arguments)


def _overview(arguments: Sequence[str]) -> None:
    """Prints the help of all commands, or refuses arguments that name none."""
    parser = Parser(prog="zoo", description="Transfer learning that you can trust.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        commands.add_parser(name, help=command_named(name).SUMMARY)
    try:
        parser.parse_args(arguments)
    except SystemExit:  # argparse printed the help
        return


if __name__ == "__main__":
    sys.exit(main())
