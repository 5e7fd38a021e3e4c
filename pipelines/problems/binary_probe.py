"""Linear probes in closed form for several yes-or-no targets, on one Gram matrix."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from pipelines.planning.evidence import ProbeScore
from pipelines.probing import ridge
from pipelines.probing.probe import Probe, require_finite, standardization_of

_SHARPNESS_BOUNDS = (0.05, 500.0)
_STEPS = 200

# From scores of examples left out, the metric and its standard error.
Metric = Callable[[np.ndarray], tuple[float, float]]


def score_targets(
    parts: list[np.ndarray],
    targets: np.ndarray,
    metric: Metric,
    *,
    groups: np.ndarray | None,
    reads: tuple[str, ...],
    grid: int,
    weights: np.ndarray | None = None,
) -> ProbeScore:
    """The score of a ridge for each column of `targets`, 0 or 1, `[rows, columns]`.

    All columns share a penalty, a factor from scores to logits, and the eigenvectors of
    the features; each has an intercept of its own. Rows count by their `weights`, above
    0.

    Raises:
        TrainingError: if a feature is not a finite number.
    """
    require_finite(parts)
    fitted = ridge.fit_targets(
        standardization_of(parts, weights)(parts),
        targets,
        groups=groups,
        weights=weights,
    )
    value, error = metric(fitted.left_out)
    sharpness, intercepts = sharpened(fitted.left_out, targets, weights)
    errors = np.square(fitted.left_out - targets).mean(axis=1)
    if weights is None:
        squared_error = float(np.square(fitted.left_out - targets).mean())
    else:
        squared_error = float(np.average(errors, weights=weights))
    return ProbeScore(
        reads=reads,
        grid=grid,
        width=len(fitted.kernel),
        accuracy=value,
        standard_error=error,
        squared_error=squared_error,
        penalty=fitted.penalty,
        sharpness=sharpness,
        intercepts=tuple(map(float, intercepts)),
    )


def probe_of_targets(
    parts: list[np.ndarray],
    targets: np.ndarray,
    scored: ProbeScore,
    *,
    weights: np.ndarray | None = None,
) -> Probe:
    """The probe that `scored` is the score of, fitted to all rows."""
    standardize = standardization_of(parts, weights)
    kernel, bias = ridge.solve_targets(
        standardize(parts), targets, penalty=scored.penalty, weights=weights
    )
    factor = np.float32(scored.sharpness)
    return Probe(
        standardize,
        kernel * factor,
        bias * factor + np.array(scored.intercepts, np.float32),
    )


def sharpened(
    scores: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """The factor and the intercepts `[columns]` with which scores are the best logits.

    As Platt (1999): each outcome counts one more time than it was seen, so that nothing
    is infinite where all are right.
    """
    n, columns = targets.shape
    # Of each row its share of a count that adds up to the number of rows.
    share = np.ones((n, 1))
    if weights is not None:
        share = weights[:, None] * (n / weights.sum(dtype=np.float64))
    positive = (targets if weights is None else share * targets).sum(axis=0)
    goal = np.where(
        targets > 0, (positive + 1) / (positive + 2), 1 / (n - positive + 2)
    )
    scores = scores.astype(np.float64)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        logits = parameters[0] * scores + parameters[1:]
        value = (share * (np.logaddexp(0, logits) - goal * logits)).mean()
        slope = share * (expit(logits) - goal) / (n * columns)
        gradient = np.concatenate([[(slope * scores).sum()], slope.sum(axis=0)])
        return float(value), gradient

    start = np.concatenate([[5.0], np.log((positive + 1) / (n - positive + 1)) - 1])
    fitted = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[_SHARPNESS_BOUNDS, *[(None, None)] * columns],
        options={"maxiter": _STEPS},
    ).x
    return float(fitted[0]), fitted[1:]
