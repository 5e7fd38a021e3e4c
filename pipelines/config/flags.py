"""From the flags of the main job to its config."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from pipelines import config as configs
from pipelines.config import RunConfig
from pipelines.errors import ConfigError

_DEFAULT_CONFIG = Path(__file__).with_name("default.py")


def parse(arguments: Sequence[str]) -> RunConfig:
    """The config that flags describe.

    Raises:
        ConfigError: for a file, a field or a value that cannot be used.
    """
    configs.refuse_unknown_fields(arguments)
    # ml_collections executes every file in one module of this name, so that a file
    # without get_config() would be given the one of the file before it.
    sys.modules.pop("config_config", None)
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
        if not isinstance(config, RunConfig):
            # A file that cannot be opened says so when it is first read from.
            getattr(config, "data", None)
            raise TypeError(f"get_config() gave a {type(config).__name__}")
    # A config file is a program, so anything can come out of it.
    except Exception as error:  # noqa: BLE001
        raise ConfigError(
            f"The config cannot be used: {_reason(error)}. A config file has a function"
            " get_config() that gives a pipelines.config.RunConfig; `zoo train --help`"
            " lists the fields."
        ) from error
    if rest:
        raise ConfigError(f"Only flags are expected, got {rest}. See --help.")
    return config


def _reason(error: Exception) -> str:
    """What went wrong; the last line, because libraries put a traceback before it."""
    last = str(error).strip().splitlines()[-1:]
    kind = "" if isinstance(error, flags.Error) else f"{type(error).__name__}: "
    return f"{kind}{''.join(last).strip().rstrip('.')}"
