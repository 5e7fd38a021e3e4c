"""Several backbones, measured one after the other; one that fails stops no other."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Sequence

from pipelines.config import RunConfig
from pipelines.data.checks.changed_files import broken_files_named
from pipelines.data.splits import Split
from pipelines.errors import DataError, TrainingError
from pipelines.planning.backbones.choice import MeasuredBackbone
from pipelines.planning.backbones.ranking import LeftOut
from pipelines.problems.protocol import Problem
from pipelines.runtime.clock import Clock
from pipelines.stages.backbones.score import score_backbone
from zoo.errors import BackboneError


def measure_backbone(
    name: str,
    size_px: int,
    train: Split,
    config: RunConfig,
    clock: Clock,
    problem: Problem,
    *,
    examples: int,
    folds: int = 0,
) -> MeasuredBackbone | LeftOut:
    """One backbone at a size, 0 for its own; or the reason why it cannot be measured.

    Raises:
        DataError: naming files that have changed since they were checked.
    """
    own_config = dataclasses.replace(config, backbone=name, input_size_px=size_px)
    try:
        with broken_files_named(train):
            return score_backbone(
                train,
                own_config,
                clock,
                examples=examples,
                problem=problem,
                folds=folds,
            )
    except DataError:
        raise
    except (BackboneError, TrainingError) as error:
        return LeftOut(name, str(error))
    except Exception as error:  # noqa: BLE001 - a network may be anybody's
        first_line = (str(error).strip().splitlines() or ["no message"])[0]
        return LeftOut(name, f"{type(error).__name__}: {first_line}")
    finally:
        # Networks hold circles of references, and the next one needs the memory.
        gc.collect()


def unpublished(names: tuple[str, ...]) -> list[LeftOut]:
    """Backbones without weights, with the reason why they are left out."""
    why = (
        "Nobody publishes weights for it, and random ones are not worth comparing."
        " strategy='scratch' trains it."
    )
    return [LeftOut(name, why) for name in names]


def nothing_measured(left_out: Sequence[LeftOut]) -> BackboneError:
    """The error where all backbones failed, with the reason of each."""
    reasons = "\n".join(
        f"  {backbone.backbone}: {backbone.reason}" for backbone in left_out
    )
    return BackboneError(
        "No backbone could be measured. Fix one of them, or name others with"
        " --backbones, config.auto.backbones in a run; `zoo doctor` looks at this"
        f" machine.\n{reasons}"
    )
