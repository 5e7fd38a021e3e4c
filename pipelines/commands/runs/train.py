"""`zoo train`: the main job, from a config to an artifact.

A config that cannot be used is refused before seconds of imports.
"""

from __future__ import annotations

import argparse
import sys

from pipelines.commands.console import Answer, add_config_flags, say_progress
from pipelines.config import checked
from pipelines.config.flags import parse
from pipelines.runtime.startup import start_tensorflow

SUMMARY = "fine-tune a backbone; `--help` lists the fields of a config"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the config."""
    add_config_flags(parser)


def run(arguments: argparse.Namespace) -> Answer:
    """Trains, and answers with the report of the run."""
    config = parse(arguments.config_flags)
    checked(config)
    start_tensorflow()
    say_progress(sys.stdout)
    from pipelines.display.choice_table import choice_table
    from pipelines.display.result_table import result_table
    from pipelines.run import run as run_pipeline
    from pipelines.runs.next_commands import next_commands

    finished = run_pipeline(config)
    report = finished.report
    commands = next_commands(finished.workdir, report)
    after = "\n".join(["next:", *(f"  {command}" for command in commands)])
    choice = report.get("backbone_choice")
    table = choice_table(choice) if choice else ""
    parts = [result_table(report), *filter(None, [table]), after]
    return Answer(report, "\n\n".join(parts))
