"""`zoo suggest`: the examples without labels that are worth a label most."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipelines.commands.console import Answer, say_progress
from pipelines.display.tables import aligned
from pipelines.display.text import shown
from pipelines.errors import ConfigError
from pipelines.runtime.startup import start_tensorflow

SUMMARY = "which examples to label next; from and to Label Studio"
_LOCAL_FILES = "/data/local-files/?d="
_PRINTED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("run", type=Path, metavar="RUN", help="or an artifact")
    parser.add_argument(
        "--data",
        metavar="REF",
        help="examples without labels: a folder of files, with or without folders in"
        " it, or a table 'csv:PATH?image=COLUMN' or 'csv:PATH?text=COLUMN'",
    )
    parser.add_argument(
        "--n", type=int, default=50, metavar="N", help="examples; default 50"
    )
    parser.add_argument(
        "--to",
        type=Path,
        metavar="DIR",
        help="writes suggestions.csv, suggestions.html with thumbnails, and tasks and"
        " interface for Label Studio, label_studio.json and label_studio.xml",
    )
    parser.add_argument(
        "--prefix",
        default=_LOCAL_FILES,
        metavar="ADDRESS",
        help="comes before the names of files in tasks; default"
        " '/data/local-files/?d=', where Label Studio serves a folder of its machine",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="EXPORT.json",
        help="in place of --data: labels that people gave in Label Studio, as JSON;"
        " writes them to --to FILE.csv, a table to train on",
    )


def run(arguments: argparse.Namespace) -> Answer:
    """Chooses, or reads labels, and answers with the rows and the files.

    Raises:
        ConfigError: if flags do not go together.
    """
    if bool(arguments.data) == bool(arguments.labels):
        raise ConfigError(
            "zoo suggest needs --data REF, to choose from, or --labels EXPORT.json, to"
            " read labels. Give one of the two."
        )
    return _read_labels(arguments) if arguments.labels else _suggest(arguments)


def _suggest(arguments: argparse.Namespace) -> Answer:
    if arguments.n < 1:
        raise ConfigError(f"--n is {arguments.n}; ask for 1 example or more.")
    say_progress(sys.stderr)
    start_tensorflow()
    from pipelines.suggestions import files
    from pipelines.suggestions.suggest import suggest

    suggested = suggest(arguments.run, arguments.data, count=arguments.n)
    written = []
    if arguments.to:
        written = files.write(suggested, arguments.to, prefix=arguments.prefix)
    rows = [
        (str(row.order), shown(row.name), shown(row.predicted), f"{row.margin:.4f}")
        for row in suggested.rows[:_PRINTED]
    ]
    lines = [aligned([("", "example", "answer now", "margin"), *rows])]
    if len(suggested.rows) > len(rows):
        lines.append(f"and {len(suggested.rows) - len(rows)} more")
    counts = (
        f"chosen from {suggested.examples}, beside {suggested.labelled} with labels"
    )
    if suggested.invalid:
        counts += f"; {len(suggested.invalid)} cannot be read"
    lines += [counts, *(f"written: {path}" for path in written)]
    values = {**suggested.values(), "files": [str(path) for path in written]}
    return Answer(values, "\n".join(lines))


def _read_labels(arguments: argparse.Namespace) -> Answer:
    if arguments.to is None or arguments.to.suffix != ".csv":
        raise ConfigError("--labels writes a table, and needs --to FILE.csv for it.")
    from pipelines.suggestions import files, label_studio
    from pipelines.suggestions.pool import opened

    labels = label_studio.read(arguments.labels)
    known = opened(arguments.run).artifact.manifest.class_names
    files.write_labels(labels, arguments.to)
    new = sorted(set(labels.labels.values()) - set(known))
    lines = [f"{arguments.to}: {len(labels.labels)} labels"]
    if labels.skipped:
        lines.append(f"{labels.skipped} tasks have no label yet")
    if labels.unlike:
        lines.append(
            f"{len(labels.unlike)} left out, with different labels of two people:"
            f" {', '.join(map(shown, labels.unlike[:5]))}"
        )
    if new:
        lines.append(
            f"classes that the run does not have: {', '.join(map(shown, new))}"
        )
    values = {
        "path": str(arguments.to),
        "labels": len(labels.labels),
        "skipped": labels.skipped,
        "unlike": list(labels.unlike),
        "new_classes": new,
    }
    return Answer(values, "\n".join(lines))
