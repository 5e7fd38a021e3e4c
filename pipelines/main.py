"""The main job: `python -m pipelines.main --config=FILE --config.FIELD=VALUE ...`.

Parses flags into a config and calls `pipelines.run.run`.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from pipelines import config as configs
from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.exit_codes import exit_code_of
from zoo.backend import require_tensorflow

_DEFAULT_CONFIG = Path(__file__).with_name("default_config.py")


def main(arguments: Sequence[str]) -> int:
    """Trains as the arguments say, prints the result, and gives the exit code."""
    if {"--help", "-h"} & set(arguments):
        print(_help())
        return 0
    debug = "--debug" in arguments
    wanted = [argument for argument in arguments if argument != "--debug"]
    return exit_code_of(lambda: _train(parse(wanted)), debug=debug)


def parse(arguments: Sequence[str]) -> RunConfig:
    """The config that flags describe.

    Raises:
        ConfigError: for a file, a field or a value that cannot be used.
    """
    configs.refuse_unknown_fields(arguments)
    values = flags.FlagValues()
    holder = config_flags.DEFINE_config_file(
        "config",
        default=str(_DEFAULT_CONFIG),
        flag_values=values,
        sys_argv=["train", *arguments],
    )
    try:
        rest = values(["train", *arguments])[1:]
        config = holder.value
    except (flags.Error, OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"The flags cannot be used: {error}") from error
    if rest:
        raise ConfigError(f"Only flags are expected, got {rest}. See --help.")
    if not isinstance(config, RunConfig):
        raise ConfigError(
            "The config file cannot be used: it must exist and have a function"
            " get_config() that gives a pipelines.config.RunConfig."
        )
    return config


def _train(config: RunConfig) -> None:
    require_tensorflow()
    # Before TensorFlow is imported: its notes are not about this run.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    logging.getLogger("zootune").setLevel(logging.INFO)
    from pipelines.run import run
    from pipelines.tables import result_table

    print(result_table(run(config).report))


def _help() -> str:
    return "\n".join(
        [
            "Fine-tunes a backbone. Flags: --config=FILE and --config.FIELD=VALUE;",
            "--debug shows tracebacks. Fields and defaults:",
            *configs.described(),
        ]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
