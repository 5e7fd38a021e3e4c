"""A fit of how large errors are, by training examples that a probe leaves out."""

from __future__ import annotations

import numpy as np

from pipelines.calibration.spread import Spread
from pipelines.planning.paired import paired_gain
from pipelines.probing import ridge
from pipelines.probing.probe import standardization_of

_FEWEST = 50
# Of the median error: an interval is never narrower, whatever the features say.
_LEAST_SHARE = 0.25


def fit_spread(features: np.ndarray, targets: np.ndarray) -> tuple[Spread | None, str]:
    """The expected errors by features, and a sentence if they are not known.

    `features` are `[n, width]` and `targets`, standardised, `[n, targets]`, of examples
    of training. A ridge is off on each of them, left out, by an error, and a second
    ridge predicts its size. That is taken only if it predicts the errors of examples
    left out better than their mean does, by more than a standard error.
    """
    if len(features) < _FEWEST:
        return None, f"{len(features)} examples are too few to measure errors by."
    parts = [features.astype(np.float32)]
    standardize = standardization_of(parts, alone=True)
    rows = standardize(parts)
    errors = np.abs(ridge.fit_targets(rows, targets).left_out - targets)
    sizes = ridge.fit_targets(rows, errors)
    before = -np.square(errors - errors.mean(axis=0)).mean(axis=1)
    after = -np.square(errors - sizes.left_out).mean(axis=1)
    gain, standard_error = paired_gain(before, after)
    if gain <= standard_error:
        return None, "Features do not say which errors are large."
    spread = Spread(
        mean=standardize.mean,
        scale=standardize.scale,
        kernel=sizes.kernel,
        bias=sizes.bias,
        floor=(_LEAST_SHARE * np.median(errors, axis=0)).astype(np.float32),
    )
    # A target whose errors are all 0 has no floor.
    return (spread, "") if (spread.floor > 0).all() else (None, "Errors are all 0.")
