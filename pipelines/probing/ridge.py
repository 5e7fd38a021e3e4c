"""Ridge regression, for classes on one-hot labels, with predictions for rows left out.

One eigendecomposition gives the whole path of penalties, and leave-one-group-out in
closed form: with the hat matrix `H`, the residuals of rows `g` left out together are
`(I - H_gg)^-1 r_g` (https://doi.org/10.1080/01621459.1974.10480157 for one row). Our
own, because RidgeCV of scikit-learn leaves out single rows, not groups, and takes more
memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import linalg

from pipelines.calibration.portions import portions
from pipelines.probing.row_weights import (
    around_mean,
    around_offset,
    roots_of,
    shares_of,
    times,
)

# Penalties relative to the mean of the squared norms of rows.
_PENALTIES = np.logspace(-4, 3, 15)
# Factors around the best of them, for targets that are measured finely.
_NEARER = 10.0 ** (np.array([-2, -1, 1, 2]) / 6)
# Numbers of the hat matrix in memory at once: 64 MiB.
_AT_ONCE = 2**23


@dataclasses.dataclass(frozen=True, eq=False)
class Ridge:
    """A linear classifier, and its scores for rows left out of the fit.

    `features @ kernel + bias` are scores, float32 `[rows, classes]`; the largest one is
    the class. `left_out` are the scores `[rows, classes]` of every training row by a
    fit without its group. `penalty` is relative to the mean of the squared norms of the
    centred rows.
    """

    kernel: np.ndarray
    bias: np.ndarray
    left_out: np.ndarray
    penalty: float


def solve(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    penalty: float,
    weights: np.ndarray | None = None,
    classes: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias for one penalty, several times faster than the path of `fit`.

    Solves for some classes at a time, so that thousands of classes need no array
    `[rows, classes]`. `weights` are as in `fit`. There are as many `classes` as labels
    say, unless they are known.
    """
    roots = roots_of(weights)
    x, mean = around_mean(features, roots)
    del features  # as large as `x`, and perhaps held by nobody else
    classes = classes or int(labels.max()) + 1
    offset = shares_of(labels, classes, roots)
    factored = _factored(x, penalty, roots)
    kernel = np.empty((x.shape[1], classes), np.float32)
    bias = np.empty(classes, np.float32)
    for some in portions(classes, max(x.shape)):
        part = factored.kernel(labels, some, offset[some])
        kernel[:, some], bias[some] = part, offset[some] - mean @ part
    return kernel, bias


def solve_targets(
    features: np.ndarray,
    targets: np.ndarray,
    *,
    penalty: float,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias for one penalty, for targets `[rows, targets]` of any numbers."""
    roots = roots_of(weights)
    x, mean = around_mean(features, roots)
    del features
    centred, offset = around_offset(targets, roots)
    factored = _factored(x, penalty, roots)
    if factored.of_rows:
        kernel = _weighted_rows(x, linalg.cho_solve(factored.cholesky, centred))
    else:
        kernel = linalg.cho_solve(factored.cholesky, _weighted_columns(x, centred))
    return kernel.astype(np.float32), (offset - mean @ kernel).astype(np.float32)


def left_out(
    features: np.ndarray,
    labels: np.ndarray,
    judged: np.ndarray,
    *,
    penalty: float,
    groups: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Scores `[judged, classes]`, float32, of some rows in fits without their groups.

    As `fit` for one penalty, in a time that grows with the number of rows and of
    classes, not with their product. If one row of a group is in `judged`, all its rows
    must be.
    """
    roots = roots_of(weights)
    x, _ = around_mean(features, roots)
    del features
    classes = int(labels.max()) + 1
    offset = shares_of(labels, classes, roots)
    factored = _factored(x, penalty, roots)
    of_mean = np.ones(len(x)) if roots is None else np.square(roots)
    scores = np.empty((len(judged), classes), np.float32)
    own_groups = None if groups is None else groups[judged]
    for some in _rows_by_group_size(own_groups, len(judged)):
        most = max(1, _AT_ONCE // (len(x) * some.shape[1]))
        for start in range(0, len(some), most):
            part = some[start : start + most]
            rows = judged[part].ravel()
            hat = factored.hat(rows)
            fitted = _by_class(hat, labels, classes)
            fitted += offset - hat.sum(axis=1, keepdims=True) * offset
            truth = _one_hot(labels[rows], slice(0, classes))
            # The mean over all rows belongs to the fit, so it is in the hat matrix.
            size = part.shape[1]
            within = hat.reshape(len(part), size, -1)[
                np.arange(len(part))[:, None, None],
                np.arange(size)[:, None],
                judged[part][:, None, :],
            ]
            keep = np.eye(size) - within - of_mean[judged[part]][:, None, :] / len(x)
            residuals = (truth - fitted).reshape(len(part), size, classes)
            held = np.linalg.solve(keep, residuals).reshape(len(rows), classes)
            scores[part.ravel()] = truth - held
    return scores


@dataclasses.dataclass(frozen=True, eq=False)
class _Factored:
    """The smaller product of centred rows with a penalty, as its Cholesky factor.

    Rows with weights are multiplied by their `roots`, `[rows]`.
    """

    x: np.ndarray
    cholesky: tuple[np.ndarray, bool]
    strength: float
    of_rows: bool
    roots: np.ndarray | None = None

    def kernel(
        self, labels: np.ndarray, classes: slice, offset: np.ndarray
    ) -> np.ndarray:
        """`[width, classes]` for some of the classes, whose shares are `offset`."""
        if self.of_rows:
            targets = times(_one_hot(labels, classes) - offset, self.roots)
            return _weighted_rows(self.x, linalg.cho_solve(self.cholesky, targets))
        # One-hot targets add up rows, in a time that does not grow with the classes.
        rows = np.flatnonzero((labels >= classes.start) & (labels < classes.stop))
        sums = np.zeros((classes.stop - classes.start, self.x.shape[1]))
        some = self.x[rows]
        if self.roots is not None:
            some = some * self.roots[rows, None]
        np.add.at(sums, labels[rows] - classes.start, some)
        # Centred rows add up to nothing but rounding; and so do weighted ones.
        whole = self.x if self.roots is None else self.x * self.roots[:, None]
        sums -= offset[:, None] * whole.sum(axis=0, dtype=np.float64)
        return linalg.cho_solve(self.cholesky, sums.T)

    def hat(self, rows: np.ndarray) -> np.ndarray:
        """The weight of each row's target in the fit of these rows, `[some, rows]`."""
        hat = self._hat_of_multiplied(rows)
        if self.roots is not None:
            hat *= self.roots / self.roots[rows, None]
        return hat

    def _hat_of_multiplied(self, rows: np.ndarray) -> np.ndarray:
        if self.of_rows:
            some = np.zeros((len(self.x), len(rows)))
            some[rows, np.arange(len(rows))] = 1.0
            hat = linalg.cho_solve(self.cholesky, some, overwrite_b=True).T
            hat *= -self.strength
            hat[np.arange(len(rows)), rows] += 1.0
            return hat
        weights = linalg.cho_solve(self.cholesky, self.x[rows].T.astype(np.float64))
        return (self.x @ weights.astype(self.x.dtype)).T.astype(np.float64)


def _factored(x: np.ndarray, penalty: float, roots: np.ndarray | None) -> _Factored:
    strength = penalty * _mean_squared_norm(x)
    of_rows = len(x) <= x.shape[1]
    gram = _of_rows(x) if of_rows else _of_columns(x)
    gram.flat[:: len(gram) + 1] += strength
    cholesky = linalg.cho_factor(gram, overwrite_a=True, check_finite=False)
    return _Factored(x, cholesky, strength, of_rows, roots)


def _one_hot(labels: np.ndarray, classes: slice) -> np.ndarray:
    """One-hot labels for these classes, `[rows, classes]`, float64."""
    targets = np.zeros((len(labels), classes.stop - classes.start))
    inside = np.flatnonzero((labels >= classes.start) & (labels < classes.stop))
    targets[inside, labels[inside] - classes.start] = 1.0
    return targets


def _by_class(values: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """The sums over the columns of each class, `[n, classes]` of `[n, rows]`."""
    order = np.argsort(labels, kind="stable")
    present, starts = np.unique(labels[order], return_index=True)
    sums = np.zeros((len(values), classes))
    sums[:, present] = np.add.reduceat(values[:, order], starts, axis=1)
    return sums


def fit(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> Ridge:
    """The ridge with the penalty of least squared error on groups left out.

    `features` are `[rows, width]`, `labels` whole numbers from 0, and `groups` a number
    for each row: rows with the same number, such as views of one image, are left out
    together. A row counts by its weight, above 0: its squared error does, and its share
    of the means. Only the ratios of weights matter.

    Raises:
        ValueError: if a feature is not a finite number.
    """
    targets = np.eye(labels.max() + 1)[labels]
    return fit_targets(features, targets, groups=groups, weights=weights)


def fit_targets(
    features: np.ndarray,
    targets: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    is_refined: bool = False,
) -> Ridge:
    """As `fit`, for targets `[rows, targets]` of any numbers, which share one penalty.

    The eigenvectors of the features serve all targets. Refined, the penalty is searched
    for a second time, between those beside the best one.

    Raises:
        ValueError: if a feature is not a finite number.
    """
    if not np.isfinite(features).all():
        raise ValueError("Some features are NaN or infinite.")
    roots = roots_of(weights)
    x, centred, mean, offset = _centred(features, targets, roots)
    u, values = eigen(x)
    projected = u.T @ centred
    rows_of_size = _rows_by_group_size(groups, len(x))
    scale = _mean_squared_norm(x)
    least, relative, left_out = np.inf, 0.0, centred

    def search(penalties: np.ndarray) -> None:
        nonlocal least, relative, left_out
        for candidate in penalties:
            shrink = values / (values + candidate * scale)
            residuals = centred - u @ (shrink[:, None] * projected)
            held = _left_out(u, shrink, residuals, rows_of_size, roots)
            error = float(np.square(held).mean())
            if error < least:
                least, relative = error, candidate
                if roots is None:
                    left_out = centred + offset - held
                else:
                    left_out = (centred - held) / roots[:, None] + offset

    search(_PENALTIES)
    if is_refined:
        search(relative * _NEARER)
    kernel = _weighted_rows(x, u @ (projected / (values + relative * scale)[:, None]))
    return Ridge(
        kernel=kernel.astype(np.float32),
        bias=(offset - mean @ kernel).astype(np.float32),
        left_out=left_out.astype(np.float32),
        penalty=float(relative),
    )


def _centred(
    features: np.ndarray, targets: np.ndarray, roots: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features and targets around their means, times roots, and the two means."""
    x, mean = around_mean(features, roots)
    if roots is None:
        offset = targets.mean(axis=0)
        return x, targets - offset, mean, offset
    centred, offset = around_offset(targets, roots)
    return x, centred, mean, offset


def _mean_squared_norm(x: np.ndarray) -> float:
    """The mean squared norm of rows; 1 if all are zero, so that a penalty counts."""
    return float(np.square(x).sum(dtype=np.float64) / len(x)) or 1.0


def _of_rows(x: np.ndarray) -> np.ndarray:
    """`x x^T`, float64, from products in the precision of `x`.

    For a thousand rows float32 loses some millionths of their squared norm; the least
    penalty is a ten-thousandth of it.
    """
    return (x @ x.T).astype(np.float64)


def _of_columns(x: np.ndarray) -> np.ndarray:
    """`x^T x` in float64: columns are long, and small differences count here."""
    return _weighted_columns(x, x)


def _weighted_columns(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`x^T y` in float64, without a float64 copy of all rows."""
    product = np.zeros((x.shape[1], y.shape[1]))
    for rows in portions(len(x), x.shape[1]):
        product += x[rows].T.astype(np.float64) @ y[rows].astype(np.float64)
    return product


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
    """Row numbers `[groups, size]`, one array for every size of a group."""
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
    roots: np.ndarray | None,
) -> np.ndarray:
    """The residuals of every row in a fit without its group, `[rows, classes]`."""
    held = np.empty_like(residuals)
    for rows in rows_of_size:
        for part in _parts(rows):
            own = u[part]
            # The mean over all rows belongs to the fit, so it is in the hat matrix.
            if rows.shape[1] == 1:  # one number each: a tenth of the time
                of_mean = 1.0 if roots is None else np.square(roots[part[:, 0]])
                keep = 1 - np.square(own[:, 0]) @ shrink - of_mean / len(u)
                held[part[:, 0]] = residuals[part[:, 0]] / keep[:, None]
                continue
            hat = (own * shrink) @ own.swapaxes(1, 2)
            if roots is None:
                hat += 1 / len(u)
            else:
                hat += roots[part][:, :, None] * roots[part][:, None, :] / len(u)
            keep = np.eye(rows.shape[1]) - hat
            held[part] = np.linalg.solve(keep, residuals[part])
    return held


def _parts(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yields some groups at a time, so that their rows of `u` fit into memory."""
    at_once = max(1, 4096 // rows.shape[1])
    for start in range(0, len(rows), at_once):
        yield rows[start : start + at_once]
