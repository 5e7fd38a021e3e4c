"""`zoo deploy`: files for the real TensorFlow Serving. Imports nothing heavy."""

from __future__ import annotations

import argparse
import difflib
import re
from pathlib import Path

from pipelines.commands.console import Answer
from pipelines.errors import ConfigError
from pipelines.serving.deploy import images

SUMMARY = "write the files that run an artifact on the real TensorFlow Serving"
_TARGETS = ("docker", "kubernetes", "kserve")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    add = parser.add_argument
    add(
        "artifact",
        type=Path,
        metavar="ARTIFACT",
        help="a base folder: always its newest version; or a version: only that one",
    )
    add("--to", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    add(
        "--target",
        default=",".join(_TARGETS),
        metavar="NAME,...",
        help=f"any of {', '.join(_TARGETS)}; default: all",
    )
    add("--name", help="of the model; default: the name of the run or folder")
    add(
        "--serving-version",
        default=images.SERVING_VERSION,
        metavar="TAG",
        help=f"of the image tensorflow/serving; default {images.SERVING_VERSION}",
    )
    add(
        "--digest",
        action="append",
        default=[],
        metavar="NAME=sha256:...",
        help="pins an image by its content, several times; names: "
        f"{', '.join(images.NAMES)}",
    )
    add("--overwrite", action="store_true", help="replace files that are there")


def run(arguments: argparse.Namespace) -> Answer:
    """Writes the files, and answers with their paths.

    Raises:
        ArtifactError: if it is not an artifact, or not as it was published.
        ConfigError: if a target is unknown, or the folder or the name cannot be used.
    """
    targets = parse_targets(arguments.target)
    version = _parse_version(arguments.serving_version)
    digests = images.parse_digests(arguments.digest)
    from pipelines.serving.deploy.readme import is_older
    from pipelines.serving.deploy.subject import subject
    from pipelines.serving.deploy.writing import write

    served = subject(arguments.artifact, name=arguments.name)
    try:
        written = write(
            served,
            arguments.to,
            targets=targets,
            images=images.Images(version, digests),
            overwrite=arguments.overwrite,
        )
    except OSError as error:
        raise ConfigError(
            f"{arguments.to} cannot be written: {error.strerror}. Name another folder"
            " with --to."
        ) from error
    warning = (
        f"The graph was written by TensorFlow {served.tensorflow}; TensorFlow Serving"
        f" {version} is older and may refuse it."
        if is_older(version, served.tensorflow)
        else None
    )
    lines = [*map(str, written)]
    if warning:
        lines.append(f"warning: {warning}")
    lines.append(f"what to do with them: {arguments.to / 'README.md'}")
    values = {
        "name": served.name,
        "version": served.version,
        "files": [str(path) for path in written],
        "warning": warning,
    }
    return Answer(values, "\n".join(lines))


def parse_targets(text: str) -> tuple[str, ...]:
    """The targets in a list with commas, each once, in the order of the list of all.

    Raises:
        ConfigError: for a target that does not exist, with the nearest one.
    """
    named = [name.strip() for name in text.split(",")]
    for name in named:
        if name not in _TARGETS:
            near = difflib.get_close_matches(name, _TARGETS, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ConfigError(
                f"--target {name!r} is unknown; allowed: {', '.join(_TARGETS)}, one or"
                f" several with commas.{hint}"
            )
    return tuple(name for name in _TARGETS if name in named)


def _parse_version(text: str) -> str:
    if not re.fullmatch(r"\d+\.\d+\.\d+", text):
        raise ConfigError(
            f"--serving-version is {text!r}; expected a release of TensorFlow Serving,"
            f" such as {images.SERVING_VERSION}. A tag that moves, such as latest,"
            " would change the server behind your back."
        )
    return text
