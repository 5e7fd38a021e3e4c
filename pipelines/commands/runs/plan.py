"""`zoo plan`: measures as `zoo train` does, and trains nothing."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Sequence

from pipelines.commands.console import Answer, add_config_flags
from pipelines.config import RunConfig, checked, field_paths
from pipelines.config.flags import parse
from pipelines.display.choice_table import choice_table
from pipelines.display.plan_table import plan_table
from pipelines.errors import ConfigError
from pipelines.runtime.startup import start_tensorflow

SUMMARY = "what training would do with the data, and why"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the config; they may be written without `config.` here."""
    add_config_flags(parser)
    parser.usage = (
        "%(prog)s --data REF [--backbone NAME] [--FIELD VALUE ...] [OPTION ...]"
    )
    parser.epilog = f"--FIELD is short for --config.FIELD.\n\n{parser.epilog}"


def run(arguments: argparse.Namespace) -> Answer:
    """Measures, and answers with the plan and its evidence.

    Raises:
        ConfigError: if no flag and no file names the data.
    """
    config = checked(_config(arguments.config_flags), writes=False)
    start_tensorflow()
    from pipelines.data.reference import DatasetRef
    from pipelines.planning.plan import to_dict
    from pipelines.runs.prepare import prepare
    from pipelines.runs.record import planned
    from pipelines.runtime.clock import Clock

    clock = Clock()
    prepared = prepare(config, DatasetRef.parse(config.data), clock)
    choice = prepared.choice
    known = planned(prepared.plan, prepared.measured.evidence)
    values = {
        "plan": to_dict(prepared.plan),
        "evidence": known["evidence"],
        "compute": dataclasses.asdict(prepared.compute),
        "backbone_choice": None if choice is None else dataclasses.asdict(choice),
        "seconds": {**clock.seconds, "total": clock.total_seconds},
    }
    table = "" if choice is None else choice_table(dataclasses.asdict(choice))
    return Answer(values, "\n\n".join(filter(None, [table, plan_table(values)])))


def _config(arguments: Sequence[str]) -> RunConfig:
    flags = list(_with_prefix(arguments))
    names = {flag.partition("=")[0] for flag in flags}
    if not names & {"--config.data", "--config"}:
        raise ConfigError(
            "the following arguments are required: --data; or a file that sets it,"
            " --config=FILE"
        )
    return parse(flags)


def _with_prefix(arguments: Sequence[str]) -> Iterator[str]:
    """The flags with `--input-size-px` written as `--config.input_size_px`."""
    known = field_paths()
    for argument in arguments:
        flag, equals, value = argument.partition("=")
        path = flag.removeprefix("--").replace("-", "_")
        is_short = flag.startswith("--") and path in known
        yield f"--config.{path}{equals}{value}" if is_short else argument
