"""Transferability scores: how well features suit a task, without training.

Three published scores, higher is better; they leave no examples out. In published
comparisons they predict the order of fine-tuned accuracies worse than a linear probe,
and worse than ImageNet accuracy alone. `zoo rank` shows them for information
(docs/adr/0014).
"""

from __future__ import annotations

import numpy as np

from pipelines.probing.ridge import eigen

# Bound of the logarithm of the ratio of LogME's precisions, in units of the mean
# squared singular value: evidence that grows beyond it fits rounding.
_LARGEST_LOG_RATIO = 8.0
_GRID, _REFINEMENTS = 65, 4
_TINY = 1e-12


def logme(features: np.ndarray, labels: np.ndarray) -> float:
    """The log evidence per example, in nats, of a Bayesian linear model of the labels.

    Features `[n, width]`, labels whole numbers `[n]`. The mean over the classes that
    occur, each regressed against the others (https://arxiv.org/abs/2102.11005). The
    evidence is maximized over the precisions of weights and noise: for a given ratio
    the noise has a closed form, so a search in one dimension suffices. Rotating or
    scaling the features does not change the result.

    Raises:
        ValueError: if a feature is not a finite number.
    """
    x, classes, which = _checked(features, labels)
    u, squared = eigen(x)
    scale = float(squared.mean()) if len(squared) else 1.0
    evidences = []
    for number in range(len(classes)):
        target = (which == number).astype(np.float64)
        inside = np.square(u.T @ target)
        outside = max(target.sum() - inside.sum(), _TINY * target.sum())
        evidences.append(_most_evidence(squared / scale, inside, outside, rows=len(x)))
    return float(np.mean(evidences))


def _most_evidence(
    squared: np.ndarray, inside: np.ndarray, outside: float, *, rows: int
) -> float:
    """The largest log evidence per example over all ratios of precisions.

    `squared` singular values `[directions]`; `inside` has the squared parts of the
    target along their directions, and `outside` is the rest of its squared length.
    """

    def evidence(log_ratios: np.ndarray) -> np.ndarray:
        ratios = 10.0 ** log_ratios[:, None]
        kept = ratios / (ratios + squared)  # [ratios, directions]
        # The best noise for a ratio has this sum of squares.
        error = kept @ inside + outside
        size = np.log(kept).sum(axis=1) / rows
        return 0.5 * (np.log(rows / error) - 1 - np.log(2 * np.pi) + size)

    best, reach = 0.0, _LARGEST_LOG_RATIO
    for _ in range(_REFINEMENTS):
        grid = np.linspace(best - reach, best + reach, _GRID)
        grid = grid.clip(-_LARGEST_LOG_RATIO, _LARGEST_LOG_RATIO)
        evidences = evidence(grid)
        best, reach = grid[evidences.argmax()], reach * 2 / (_GRID - 1)
    return float(evidences.max())


def h_score(features: np.ndarray, labels: np.ndarray) -> float:
    """The share of the features' covariance between the classes: 0 to classes - 1.

    Features `[n, width]`, labels whole numbers `[n]`. The trace of the inverse
    covariance of the features times the covariance of the class means
    (https://arxiv.org/abs/2212.10082 for the score of Bao et al. 2019). The first is
    shrunk by Ledoit and Wolf, the second by as much (https://arxiv.org/abs/2110.06893):
    with fewer examples than numbers the plain score is the same for all features. 0 for
    constant features.

    Raises:
        ValueError: if a feature is not a finite number.
    """
    x, classes, which = _checked(features, labels)
    x = x - x.mean(axis=0)
    varies = np.ptp(x, axis=0) > 0
    if not varies.any():
        return 0.0
    # One scale for all changes no score and keeps squares from overflowing.
    x = x[:, varies] / np.abs(x).max()
    rows, width = x.shape
    is_of_class = np.eye(len(classes))[which]
    weights = is_of_class / np.sqrt(rows * is_of_class.sum(axis=0))
    weights -= weights.mean(axis=0)  # as features have, and so the sums are the same
    # The products of columns and of rows lead to the same score: the smaller is solved.
    is_wide = width > rows
    product = (x @ x.T if is_wide else x.T @ x) / rows
    shrinkage = _shrinkage(x, product)
    # Features that repeat each other leave a covariance without an inverse.
    least = (shrinkage / width + _TINY) * np.trace(product)
    shrunk = (1 - shrinkage) * product + least * np.eye(len(product))
    sums = weights if is_wide else x.T @ weights
    solved = np.linalg.solve(shrunk, sums)
    left = rows * product @ weights if is_wide else sums
    return float((1 - shrinkage) * np.sum(left * solved))


def _shrinkage(x: np.ndarray, product: np.ndarray) -> float:
    """The share of the identity in the covariance of centred features `[n, width]`.

    As Ledoit and Wolf estimate it (https://doi.org/10.1016/S0047-259X(03)00096-4).
    `product` is `x.T @ x / n` or `x @ x.T / n`: only its trace and its length count.
    """
    rows, width = x.shape
    length = np.square(product).sum()
    distance = length - np.trace(product) ** 2 / width
    if width == 1 or distance <= 0:
        return 0.0
    noise = np.square(np.square(x).sum(axis=1)).mean() - length
    return float(min(noise / rows / distance, 1.0))


def leep(source_probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The mean log-likelihood of labels, given the source's answers: at most 0.

    `source_probabilities` are `[n, source classes]`. The model is the joint frequency
    of labels and source classes (https://arxiv.org/abs/2002.12462). If the answers say
    nothing about the labels, the result is minus the entropy of the labels.

    Raises:
        ValueError: if a probability is not a finite number.
    """
    answers, classes, which = _checked(source_probabilities, labels)
    joint = np.zeros((len(classes), answers.shape[1]))
    np.add.at(joint, which, answers)
    of_source = joint.sum(axis=0)
    seen = of_source > 0
    conditional = joint[:, seen] / of_source[seen]
    likelihood = np.einsum("nz,nz->n", conditional[which], answers[:, seen])
    return float(np.log(likelihood).mean())


def _checked(
    values: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values as float64, the distinct labels, and the index of each row's label."""
    if not np.isfinite(values).all():
        raise ValueError("Some values are NaN or infinite.")
    classes, which = np.unique(labels, return_inverse=True)
    return np.asarray(values, np.float64), classes, which
