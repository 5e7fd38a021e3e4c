"""What a run keeps of the features that its head was fitted to."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import numpy as np

from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Split, Splits
from pipelines.features import kept_features
from pipelines.features.kept_features import KeptFeatures, KeptSplit, split_with
from pipelines.planning.plan import TransferPlan
from pipelines.probing.rows import of_every_class
from pipelines.problems.registry import classes_can_change
from pipelines.runs.prepare import Prepared
from pipelines.stages.calibrate import Calibrated
from pipelines.stages.measure import Measured
from pipelines.stages.predictions import example_names

# More is not kept: what it would save is a pass over the images.
_MOST_BYTES = 2**28

_logger = logging.getLogger("zootune")


def of_run(
    measured: Measured,
    calibrated: Calibrated,
    splits: Splits,
    plan: TransferPlan,
    *,
    backbone: str,
) -> KeptFeatures | None:
    """What is at hand at the end of a run; None if that is not what the model reads.

    That is so if blocks were trained, if the head has layers of its own, or if the
    features would take more than 256 MiB.
    """
    head, known = plan.head, measured.known
    if not (head.is_linear and classes_can_change(splits.info.problem)):
        return None
    if known is None or not known.still_holds():
        return None
    keys = [(name, head.grid) for name in head.reads]
    parts = [measured.train[key] for key in keys]
    held_out = (calibrated.validation, calibrated.test)
    size = sum(
        array.nbytes for array in (*parts, *(some.features for some in held_out))
    )
    if size > _MOST_BYTES:
        return None
    rows = of_every_class(
        splits.train.labels, count=len(measured.labels), seed=plan.seed
    )
    ref = DatasetRef.parse(splits.info.reference)

    def kept(
        split: Split, features: np.ndarray, *, rows: np.ndarray | None = None
    ) -> KeptSplit:
        return split_with(split, features, example_names(split, ref), rows=rows)

    return KeptFeatures(
        class_names=splits.info.class_names,
        reads=head.reads,
        grid=head.grid,
        widths=tuple(part.shape[1] for part in parts),
        backbone=backbone,
        train=kept(splits.train, np.concatenate(parts, axis=1), rows=rows),
        validation=kept(splits.validation, calibrated.validation.features),
        test=kept(splits.test, calibrated.test.features),
    )


def write(
    prepared: Prepared,
    calibrated: Calibrated,
    folder: Path,
    *,
    backbone: str,
    is_moved: bool,
) -> None:
    """Writes what `of_run` gives to a folder; a warning where the disk refuses.

    Where validation `is_moved` to a target, its features are those of the source.
    """
    if is_moved and prepared.target is not None:
        own = prepared.target.domains.validation
        validation = dataclasses.replace(calibrated.validation, features=own)
        calibrated = dataclasses.replace(calibrated, validation=validation)
    kept = of_run(
        prepared.measured,
        calibrated,
        prepared.splits,
        prepared.plan,
        backbone=backbone,
    )
    if kept is None:
        return
    path = folder / kept_features.FILE_NAME
    try:
        kept_features.save(kept, path)
    except OSError as error:  # they only save a pass over the images later
        _logger.warning("%s could not be written: %s", path, error)
