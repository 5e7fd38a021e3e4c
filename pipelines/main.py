"""The main job: `python -m pipelines.main --config=FILE --config.FIELD=VALUE ...`.

Parses flags into a config and calls `pipelines.run.run`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines import config as configs
from pipelines.commands.console import say_progress
from pipelines.commands.exit_codes import exit_code_of
from pipelines.config import RunConfig
from pipelines.config.flags import described, parse
from pipelines.runtime.startup import start_tensorflow


def main(arguments: Sequence[str]) -> int:
    """Trains as the arguments say, prints the result, and gives the exit code."""
    if {"--help", "-h"} & set(arguments):
        return exit_code_of(lambda: print(_help()), debug=False)
    debug = "--debug" in arguments
    wanted = [argument for argument in arguments if argument != "--debug"]
    return exit_code_of(lambda: _train(parse(wanted)), debug=debug)


def _train(config: RunConfig) -> None:
    configs.checked(config)  # at once, and not after seconds of imports
    start_tensorflow()
    say_progress(sys.stdout)
    from pipelines.commands.tables import result_table
    from pipelines.run import run

    print(result_table(run(config).report))


def _help() -> str:
    return "\n".join(
        [
            "Fine-tunes a backbone. Flags: --config=FILE and --config.FIELD=VALUE;",
            "--debug shows tracebacks. Fields and defaults:",
            *described(),
        ]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
