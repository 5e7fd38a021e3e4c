"""From the flags of a command to a config, and from the fields to their help."""

from __future__ import annotations

import dataclasses
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import config_flags

from pipelines.config.saved import read_config
from pipelines.config.schema import (
    OPTIONS,
    RunConfig,
    field_paths,
    refuse_unknown,
    to_dict,
)
from pipelines.display.records import dotted
from pipelines.errors import ConfigError

_DEFAULT_CONFIG = Path(__file__).with_name("default.py")
_HELP_COLUMNS = 88


def parse(arguments: Sequence[str]) -> RunConfig:
    """The config that flags describe.

    >>> config = parse(["--config.data=dir:photos", "--config.head.epochs=4"])
    >>> config.head.epochs
    4

    Raises:
        ConfigError: for a file, a field or a value that cannot be used.
    """
    refuse_unknown_fields(arguments)
    arguments, saved = _without_saved(arguments)
    values = flags.FlagValues()
    try:
        holder = _define(values, arguments, saved)
        rest = values(["train", *arguments])[1:]
        config = holder.value
        if not isinstance(config, RunConfig):
            # A file that cannot be opened raises when it is first read from.
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


def _define(
    values: flags.FlagValues, arguments: Sequence[str], saved: Path | None
) -> flags.FlagHolder[Any]:
    """The flag `--config` with a flag for each field that the arguments override."""
    argv = ["train", *arguments]
    holder: flags.FlagHolder[Any]
    if saved:
        holder = config_flags.DEFINE_config_dataclass(
            "config", read_config(saved), flag_values=values, sys_argv=argv
        )
        return holder
    # ml_collections executes every file in one module of this name, so that a file
    # without get_config() would be given the one of the file before it.
    sys.modules.pop("config_config", None)
    holder = config_flags.DEFINE_config_file(
        "config", default=str(_DEFAULT_CONFIG), flag_values=values, sys_argv=argv
    )
    return holder


def _without_saved(arguments: Sequence[str]) -> tuple[list[str], Path | None]:
    """The arguments without `--config=FILE.json`, and that file."""
    rest = list(arguments)
    for i, argument in enumerate(rest):
        name, has_value, value = argument.partition("=")
        if name not in ("--config", "-config"):
            continue
        words = 1 if has_value else 2
        path = value if has_value else "".join(rest[i + 1 : i + 2])
        if path.endswith(".json"):
            return rest[:i] + rest[i + words :], Path(path)
    return rest, None


def refuse_unknown_fields(arguments: Sequence[str]) -> None:
    """Raises `ConfigError` for the first `--config.FIELD` that does not exist.

    And for a `--FIELD`, which absl would call unknown without a word about the prefix.
    """
    known = field_paths()
    for argument in arguments:
        flag = argument.partition("=")[0].lstrip("-").removeprefix("no")
        if argument.startswith("--") and flag in known:
            raise ConfigError(
                f"There is no flag --{flag}. The fields of a config have a prefix:"
                f" --config.{flag}=VALUE"
            )
        if argument.startswith("-") and flag.startswith("config."):
            refuse_unknown([flag.removeprefix("config.")], known)


def described() -> list[str]:
    """The fields in groups, each with its default, what is allowed, and a sentence."""
    lines = []
    for title, paths in field_groups():
        lines += ["", title]
        for path in paths:
            lines += [*_flag_lines(path), *_wrapped(OPTIONS[path].help)]
    return lines


def field_groups() -> Iterator[tuple[str, list[str]]]:
    """Titles of groups, and their fields; first the fields of no group."""
    config, paths = RunConfig(), field_paths()
    yield "The run:", [path for path in paths if "." not in path]
    for field in dataclasses.fields(config):
        inside = [path for path in paths if path.startswith(f"{field.name}.")]
        if inside:
            sentence = (type(getattr(config, field.name)).__doc__ or "").rstrip(".")
            yield f"{sentence}:", inside


def _flag_lines(path: str) -> list[str]:
    option, default = OPTIONS[path], dotted(to_dict(RunConfig()))[path]
    allowed = ""
    if option.choices:
        allowed = f"  one of {', '.join(option.choices)}"
    elif option.bounds:
        allowed = "  {:.10g} to {:.10g}".format(*option.bounds)
    line = f"  --config.{path}={default}{allowed}"
    return textwrap.wrap(line, _HELP_COLUMNS, subsequent_indent=" " * 6)


def _wrapped(sentence: str) -> list[str]:
    return textwrap.wrap(
        sentence, _HELP_COLUMNS, initial_indent=" " * 6, subsequent_indent=" " * 6
    )


def _reason(error: Exception) -> str:
    """The last line of an error, because libraries put a traceback before it."""
    last = str(error).strip().splitlines()[-1:]
    kind = "" if isinstance(error, flags.Error) else f"{type(error).__name__}: "
    return f"{kind}{''.join(last).strip().rstrip('.')}"
