"""Stage 5: calibrate on validation, and look at the result on validation and test."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from pipelines.data.splits import Splits
from pipelines.problems.registry import problem_of
from pipelines.runtime.blas import one_thread
from pipelines.stages.outputs import Known, OutputRequest, Outputs, outputs
from pipelines.training.transfer_model import TransferModel

# Training examples that show where the classes lie: 20 of each class, or 500 in all if
# that is more, so that a large split does not cost a pass of its own.
_EXAMPLES_PER_CLASS = 20
_EXAMPLES = 500
# Of their features, 256 MiB in float32.
_MOST_NUMBERS = 2**26
_FEWEST_PER_CLASS = 2

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True, eq=False)
class Calibrated:
    """The calibration, and what the model gives for the splits that trained nothing."""

    calibration: Any
    validation: Outputs
    test: Outputs


def calibrate_model(
    model: TransferModel,
    splits: Splits,
    calibration: Any,
    *,
    batch_size: int,
    known: Known | None = None,
    out_of_fold: Outputs | None = None,
    moved: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Calibrated:
    """The calibration of a trained model, from validation; test is only looked at.

    `calibration` is the part of the config that the problem names for it. Features that
    are `known` are not computed again. With `out_of_fold` these are the outputs for
    validation, of heads that did not see the examples. After an adaptation, `moved`
    gives features of training the place of the target's.
    """
    width = int(model.pooled.shape[-1])
    problem = problem_of(splits)
    strata = problem.strata(splits.train.labels)
    rows = rows_of_each_class(strata, width=width)
    of_train = OutputRequest(splits.train, rows, only_features=True)
    held_out = [splits.test] if out_of_fold else [splits.validation, splits.test]
    _logger.info("  outputs of %d examples", len(rows) + sum(map(len, held_out)))
    some, *others = outputs(
        model,
        [of_train, *held_out],
        batch_size=batch_size,
        known=known,
    )
    validation, test = [out_of_fold, *others] if out_of_fold else others
    _logger.info("  fitting on %d examples of validation", len(validation.labels))
    features = some.features if moved is None else moved(some.features)
    with one_thread():
        fitted = problem.calibrate(
            validation.counting(), features, some.labels, calibration=calibration
        )
    return Calibrated(fitted, validation, test)


def rows_of_each_class(labels: np.ndarray, *, width: int = 0) -> np.ndarray:
    """Rows of the same number of each class, spread evenly and in order.

    If these would not fit into 256 MiB, because features are wide or classes many,
    fewer of each are taken, and two at least.
    """
    present, sizes = np.unique(labels, return_counts=True)
    count = max(_EXAMPLES_PER_CLASS, _EXAMPLES // len(present))
    fit_in = _MOST_NUMBERS // (len(present) * width) if width else count
    count = min(count, max(_FEWEST_PER_CLASS, fit_in))
    by_class = np.split(np.argsort(labels, kind="stable"), np.cumsum(sizes)[:-1])
    some = [
        members[np.linspace(0, len(members) - 1, min(count, len(members))).astype(int)]
        for members in by_class
    ]
    return np.sort(np.concatenate(some))
