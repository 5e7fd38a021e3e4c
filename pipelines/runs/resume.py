"""Going on with a run that was cut short, if it is the same run."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines import config as configs
from pipelines.config import RunConfig
from pipelines.data.splits import Splits
from pipelines.errors import ArtifactError, ConfigError
from pipelines.planning import compute
from pipelines.planning.compute import Compute
from pipelines.planning.plan import to_dict
from pipelines.runs.folder import NOT_COMPARED, RunFolder
from pipelines.runs.prepare import Prepared
from pipelines.runtime import environment
from pipelines.serving import artifact
from pipelines.serving.artifact import Artifact
from pipelines.training.checkpoint import Checkpoint, Checkpoints
from pipelines.training.distributed.workers import ALONE, Workers
from pipelines.training.progress import Progress, Saving

# How a run computes, as it was chosen when it began.
COMPUTE = "compute.json"
_VERSIONS = "versions"

_logger = logging.getLogger("zootune")


def compute_before(config: RunConfig, folder: RunFolder) -> Compute | None:
    """How the run of this folder computed before it was cut short, if it got so far.

    A clock has chosen that, and could choose something else now.
    """
    path = folder.path / COMPUTE
    if config.overwrite or not path.is_file():
        return None
    try:
        return compute.from_dict(json.loads(path.read_text()))
    except (ValueError, KeyError, TypeError) as error:
        _logger.warning("%s cannot be read (%s); it is chosen anew.", path, error)
        return None


def progress_of(
    config: RunConfig, prepared: Prepared, folder: RunFolder, workers: Workers = ALONE
) -> Progress:
    """How far the run of this folder has come: to its last checkpoint, or nowhere.

    Of several workers the chief has the folder, and gives the others what is in it.

    Raises:
        ConfigError: naming what differs, if it was a run of another config, of other
            data or of another plan.
        ArtifactError: if there are checkpoints, and none is whole.
    """
    about = _about(config, prepared)
    checkpoints = Checkpoints(folder.training_dir)
    saved: list[Checkpoint | None] = [None]

    def open_saved() -> None:
        saved[0] = None if config.overwrite else checkpoints.newest()
        if saved[0] is not None:
            _refuse_other_run(folder, saved[0].values["about"], about)

    # Arrays are nothing that JSON has words for, so they go by a way of their own.
    workers.on_chief(open_saved)
    saving = Saving(
        checkpoints,
        about,
        history_path=folder.history_path,
        every_seconds=config.checkpoint_seconds,
    )
    return Progress(
        saving if workers.is_chief else None, workers.broadcast_checkpoint(saved[0])
    )


def exported_before(folder: RunFolder, facts: Mapping[str, Any]) -> Artifact | None:
    """The artifact of this run, if it was cut short after publishing it."""
    own = set(artifact.versions(folder.artifact_base)) - folder.versions_before()
    if not own:
        return None
    try:
        found = artifact.open_verified(folder.artifact_base / str(max(own)))
    except ArtifactError as error:
        _logger.warning("%s", error)
        return None
    said = {name: getattr(found.manifest, name) for name in facts}
    return found if said == json.loads(json.dumps(facts)) else None


def about_program(config: RunConfig) -> dict[str, Any]:
    """What has to be the same in all workers, and is known before anything is read."""
    return {
        "config": {
            name: value
            for name, value in configs.to_dict(config).items()
            if name not in NOT_COMPARED
        },
        _VERSIONS: environment.installed_versions(),
    }


def about_data(splits: Splits) -> dict[str, Any]:
    """What tells data from others."""
    return {
        "data": {
            "fingerprint": splits.info.fingerprint,
            "train": splits.train.digest,
            "validation": splits.validation.digest,
            "counts": splits.info.counts,
        }
    }


def _about(config: RunConfig, prepared: Prepared) -> dict[str, Any]:
    """What has to be the same for a run to go on, as it is after JSON."""
    agreed = {
        "plan": to_dict(prepared.plan),
        "precision": prepared.compute.precision,
    }
    about = about_program(config) | about_data(prepared.splits) | agreed
    return json.loads(json.dumps(about))


def _refuse_other_run(
    folder: RunFolder, theirs: Mapping[str, Any], ours: Mapping[str, Any]
) -> None:
    was, now = dict(_leaves(theirs)), dict(_leaves(ours))
    names = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    others = [name for name in names if not name.startswith(f"{_VERSIONS}.")]
    if others:
        shown = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
        raise ConfigError(
            f"{folder.path} holds another run, which was not finished: {shown} differ."
            " Choose another config.workdir, or set config.overwrite to replace it."
        )
    if names:
        _logger.warning(
            "%s differ from when the run began: its result can differ in last digits.",
            ", ".join(names),
        )


def _leaves(values: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every single value under a dotted name: `plan.phases.0.epochs`."""
    if not isinstance(values, dict | list):
        yield name, values
        return
    items = values.items() if isinstance(values, dict) else enumerate(values)
    for key, value in items:
        yield from _leaves(value, f"{name}.{key}" if name else str(key))
