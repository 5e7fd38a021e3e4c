"""A finished run as a teacher, by its files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from pipelines.config.saved import read_config
from pipelines.config.schema import RunConfig
from pipelines.errors import ConfigError
from pipelines.serving.artifact import Artifact, open_verified


@dataclasses.dataclass(frozen=True)
class TeacherRun:
    """A finished run: its folder, config, newest artifact, and backbone."""

    path: Path
    config: RunConfig
    artifact: Artifact
    backbone: str
    input_size_px: int | None


def finished_teacher(folder: Path) -> TeacherRun:
    """The finished run of a folder, its artifact verified.

    Raises:
        ConfigError: if the folder holds no finished run, or one without an artifact.
        ArtifactError: if the artifact is not what the run published.
    """
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        published, backbone = report["artifact"], str(report["backbone"]["name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{folder} is not the folder of a finished run, so that it can teach"
            f" nothing: its report.json cannot be read ({error!r}). Name the"
            " config.workdir of a finished one."
        ) from error
    if published is None:
        raise ConfigError(
            f"{folder} has no artifact: its model did not pass the quality gate (`gate`"
            " in its report.json). Name a run that did as the teacher."
        )
    # A run folder may have been moved; its versions went with it.
    artifact = open_verified(folder / "artifact" / Path(published).name)
    size = artifact.manifest.preprocessing.get("input_size_px")
    config = read_config(folder / "config.json")
    return TeacherRun(folder, config, artifact, backbone, size)
