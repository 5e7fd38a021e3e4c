"""Ridge regression on one-hot labels, with what it predicts for rows left out.

One eigendecomposition gives the whole path of penalties, and leave-one-group-out in
closed form: with the hat matrix `H`, the residuals of the rows `g` that were left out
are `(I - H_gg)^-1 r_g` (https://doi.org/10.1080/01621459.1974.10480157 for one row).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import linalg

# Penalties relative to the mean of the squared norms of rows, from hardly any on.
_PENALTIES = np.logspace(-4, 3, 15)


@dataclasses.dataclass(frozen=True, eq=False)
class Ridge:
    """A linear classifier, and what it says of rows that it was not fitted on.

    `features @ kernel + bias` are scores, float32 `[rows, classes]`; the largest one is
    the class. `left_out` are the scores `[rows, classes]` that every training row got
    from a fit without its group. `penalty` is relative to the mean of the squared norms
    of the centred rows.
    """

    kernel: np.ndarray
    bias: np.ndarray
    left_out: np.ndarray
    penalty: float


def solve(
    features: np.ndarray, labels: np.ndarray, *, penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias for one penalty, several times faster than the path of `fit`."""
    x, targets, mean, offset = _centred(features, labels)
    del features  # as large as `x`, and nobody else may have it
    strength = penalty * _mean_squared_norm(x)
    if len(x) <= x.shape[1]:
        gram = _of_rows(x)
        gram.flat[:: len(x) + 1] += strength
        kernel = _weighted_rows(x, linalg.solve(gram, targets, assume_a="pos"))
    else:
        gram = _of_columns(x)
        gram.flat[:: x.shape[1] + 1] += strength
        kernel = linalg.solve(gram, x.T @ targets, assume_a="pos")
    return kernel.astype(np.float32), (offset - mean @ kernel).astype(np.float32)


def fit(
    features: np.ndarray, labels: np.ndarray, *, groups: np.ndarray | None = None
) -> Ridge:
    """The ridge whose penalty errs least, in the mean square, on groups left out.

    `features` are `[rows, width]`, `labels` whole numbers from 0, and `groups` a number
    for each row: rows of one group, such as the views of one image, are left out
    together.

    Raises:
        ValueError: if a feature is not a finite number.
    """
    if not np.isfinite(features).all():
        raise ValueError("Some features are NaN or infinite.")
    x, centred, mean, offset = _centred(features, labels)
    u, values = eigen(x)
    projected = u.T @ centred
    rows_of_size = _rows_by_group_size(groups, len(x))
    scale = _mean_squared_norm(x)
    least, relative, left_out = np.inf, 0.0, centred
    for candidate in _PENALTIES:
        shrink = values / (values + candidate * scale)
        residuals = centred - u @ (shrink[:, None] * projected)
        held = _left_out(u, shrink, residuals, rows_of_size)
        error = float(np.square(held).mean())
        if error < least:
            least, relative, left_out = error, candidate, centred + offset - held
    kernel = _weighted_rows(x, u @ (projected / (values + relative * scale)[:, None]))
    return Ridge(
        kernel=kernel.astype(np.float32),
        bias=(offset - mean @ kernel).astype(np.float32),
        left_out=left_out.astype(np.float32),
        penalty=float(relative),
    )


def _centred(
    features: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features and one-hot labels around their means, and these."""
    targets = np.eye(labels.max() + 1)[labels]
    mean, offset = features.mean(axis=0, dtype=np.float64), targets.mean(axis=0)
    x = np.subtract(features, mean, dtype=features.dtype, casting="same_kind")
    return x, targets - offset, mean, offset


def _mean_squared_norm(x: np.ndarray) -> float:
    """One where all rows are equal, so that a penalty is more than nothing."""
    return float(np.square(x).sum(dtype=np.float64) / len(x)) or 1.0


def _of_rows(x: np.ndarray) -> np.ndarray:
    """`x x^T`, float64, from products in the precision of `x`.

    What float32 loses of a thousand rows is some millionths of their squared norm, and
    the least penalty is a ten-thousandth.
    """
    return (x @ x.T).astype(np.float64)


def _of_columns(x: np.ndarray) -> np.ndarray:
    """`x^T x` in float64: columns are many rows long, and small ones count here."""
    wide = x.astype(np.float64)
    return wide.T @ wide


def _weighted_rows(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`x^T weights` without a copy of `x`."""
    return x.T @ weights.astype(x.dtype)


def eigen(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvectors `[rows, directions]` and eigenvalues of `x x^T` that are not zero.

    From the smaller of the two products, `[rows, rows]` or `[width, width]`.
    """
    if len(x) <= x.shape[1]:
        values, u = np.linalg.eigh(_of_rows(x))
        return _without_zeros(u, values)
    values, v = np.linalg.eigh(_of_columns(x))
    v, values = _without_zeros(v, values)
    return (x @ v) / np.sqrt(values), values


def _without_zeros(
    vectors: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    kept = values > max(values[-1], 0.0) * 1e-10
    return vectors[:, kept], values[kept]


def _rows_by_group_size(groups: np.ndarray | None, count: int) -> Sequence[np.ndarray]:
    """Row numbers `[groups, size]`, one array for every size that a group has."""
    if groups is None:
        return [np.arange(count)[:, None]]
    order = np.argsort(groups, kind="stable")
    _, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    return [
        order[starts[sizes == size][:, None] + np.arange(size)]
        for size in np.unique(sizes)
    ]


def _left_out(
    u: np.ndarray,
    shrink: np.ndarray,
    residuals: np.ndarray,
    rows_of_size: Sequence[np.ndarray],
) -> np.ndarray:
    """The residuals of every row in a fit without its group, `[rows, classes]`."""
    held = np.empty_like(residuals)
    for rows in rows_of_size:
        for part in _parts(rows):
            own = u[part]
            # The mean over all rows belongs to the fit, so it is in the hat matrix.
            if rows.shape[1] == 1:  # a number each, in a tenth of the time
                keep = 1 - np.square(own[:, 0]) @ shrink - 1 / len(u)
                held[part[:, 0]] = residuals[part[:, 0]] / keep[:, None]
                continue
            hat = (own * shrink) @ own.swapaxes(1, 2) + 1 / len(u)
            keep = np.eye(rows.shape[1]) - hat
            held[part] = np.linalg.solve(keep, residuals[part])
    return held


def _parts(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Groups at a time, so that their rows of `u` do not fill the memory."""
    at_once = max(1, 4096 // rows.shape[1])
    for start in range(0, len(rows), at_once):
        yield rows[start : start + at_once]
