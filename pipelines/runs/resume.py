"""Going on with a run that was cut short, if it is the same run."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from pipelines import config as configs
from pipelines.config import RunConfig
from pipelines.config.saved import with_later_fields
from pipelines.data.splits import Splits
from pipelines.display.records import differences, filled
from pipelines.errors import ArtifactError, ConfigError
from pipelines.planning import compute
from pipelines.planning.backbones import choice as backbone_choice
from pipelines.planning.backbones.choice import BackboneChoice
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

# The choice of how a run computes, made when it began.
COMPUTE = "compute.json"
# The backbone that a run chose, with what was compared.
BACKBONE = "backbone.json"
_VERSIONS = "versions"

_logger = logging.getLogger("zootune")


def compute_before(config: RunConfig, folder: RunFolder) -> Compute | None:
    """The way in which an interrupted run of this folder computed, if it was chosen.

    A clock chose it, and could choose something else now.
    """
    path = folder.path / COMPUTE
    if config.overwrite or not path.is_file():
        return None
    try:
        return compute.from_dict(json.loads(path.read_text()))
    except (ValueError, KeyError, TypeError) as error:
        _logger.warning("%s cannot be read (%s); it is chosen anew.", path, error)
        return None


def choice_before(config: RunConfig, folder: RunFolder) -> BackboneChoice | None:
    """The backbone that an interrupted run of this folder chose, if it did.

    Time may have decided, and the backbones of this machine may be others now.
    """
    path = folder.path / BACKBONE
    if config.overwrite or not path.is_file():
        return None
    try:
        return backbone_choice.from_dict(json.loads(path.read_text()))
    except (ValueError, KeyError, TypeError) as error:
        _logger.warning("%s cannot be read (%s); it is chosen anew.", path, error)
        return None


def progress_of(
    config: RunConfig, prepared: Prepared, folder: RunFolder, workers: Workers = ALONE
) -> Progress:
    """The progress of the run of this folder: to its last checkpoint, or none.

    The chief has the folder, and gives the other workers what is in it.

    Raises:
        ConfigError: naming what differs, if it was a run of another config, of other
            data or of another plan.
        ArtifactError: if there are checkpoints, and none is whole.
    """
    about = _about(config, prepared)
    checkpoints = Checkpoints(folder.training_dir)
    saved: Checkpoint | None = None

    def open_saved() -> None:
        nonlocal saved
        saved = None if config.overwrite else checkpoints.newest()
        if saved is not None:
            _refuse_other_run(folder, saved.values["about"], about)

    # JSON has no arrays, so the checkpoint itself is broadcast apart.
    workers.on_chief(open_saved)
    saving = Saving(
        checkpoints,
        about,
        history_path=folder.history_path,
        every_seconds=config.checkpoint_seconds,
    )
    return Progress(
        saving if workers.is_chief else None, workers.broadcast_checkpoint(saved)
    )


def exported_before(folder: RunFolder, facts: Mapping[str, Any]) -> Artifact | None:
    """The artifact of this run, if it was cut short after publishing it."""
    own = set(artifact.versions(folder.artifact_base)) - folder.versions_before()
    if not own:
        return None
    try:
        exported = artifact.open_verified(folder.artifact_base / str(max(own)))
    except ArtifactError as error:
        _logger.warning("%s", error)
        return None
    ours = json.loads(json.dumps(facts))
    theirs = {name: getattr(exported.manifest, name) for name in facts}
    theirs["plan"] = with_later_decisions(theirs["plan"], ours["plan"])
    return exported if theirs == ours else None


def about_program(config: RunConfig) -> dict[str, Any]:
    """The config and the versions, which must be the same in all workers."""
    return {
        "config": {
            name: value
            for name, value in configs.to_dict(config).items()
            if name not in NOT_COMPARED
        },
        _VERSIONS: environment.installed_versions(),
    }


def about_data(splits: Splits) -> dict[str, Any]:
    """The values that identify the data."""
    return {
        "data": {
            "fingerprint": splits.info.fingerprint,
            "train": splits.train.digest,
            "validation": splits.validation.digest,
            "counts": splits.info.counts,
        }
    }


def _about(config: RunConfig, prepared: Prepared) -> dict[str, Any]:
    """The values that must be the same for a run to go on, as they are after JSON."""
    plan = {"plan": to_dict(prepared.plan)}
    about = about_program(config) | about_data(prepared.splits) | plan
    # An older version wrote the name of the default, and ours may leave it open.
    about["config"]["backbone"] = config.backbone or prepared.base.spec.name
    return json.loads(json.dumps(about))


def _refuse_other_run(
    folder: RunFolder, theirs: Mapping[str, Any], ours: Mapping[str, Any]
) -> None:
    names = differences(_upgraded(theirs, ours), ours, into_lists=True)
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


def _upgraded(saved: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a checkpoint, with the decisions that older versions left out.

    Their plans had no precision, which lay beside the plan, and none of the decisions
    that the config settles, which is compared too. Fields that their config did not
    have are as `with_later_fields` says.
    """
    values = dict(saved)
    config = with_later_fields(saved["config"], ours["config"])
    values["config"] = {
        name: value for name, value in config.items() if name not in NOT_COMPARED
    }
    plan = with_later_decisions(saved["plan"], ours["plan"])
    if "precision" in values:
        plan["precision"] = values.pop("precision")
    return {**values, "plan": plan}


def with_later_decisions(
    saved: Mapping[str, Any], ours: Mapping[str, Any]
) -> dict[str, Any]:
    """A saved plan, with the decisions of ours that its version did not write.

    The reason is ours too: its words may change from version to version. So are the
    detectors that were compared: their last digits decide nothing.
    """
    plan = {**filled(saved, ours), "reason": ours["reason"]}
    if "head" in plan and "detectors" in ours.get("head", {}):
        plan["head"] = {**plan["head"], "detectors": ours["head"]["detectors"]}
    return plan
