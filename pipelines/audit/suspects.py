"""Examples whose labels are probably wrong, by probes of the other examples.

A probe on frozen features predicts every example after a fit without it. Where it is as
sure of another class as it is of that class' examples on average, the label is suspect:
confident learning, https://arxiv.org/abs/1911.00068. Of several labels each is judged
so by itself. A number is suspect where the probe is further off than by chance.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence

import numpy as np
from scipy.stats import norm
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from pipelines.data.grouping import count_groups
from pipelines.data.names import listing
from pipelines.errors import DataError
from pipelines.probing import ridge
from pipelines.probing.probe import standardization_of

_FOLDS = 5
# Inverse strength of the L2 penalty, and steps after which the probe is good enough.
_INVERSE_PENALTY = 0.1
_MAX_STEPS = 200
_REDUCED_WIDTH = 128
_FEWEST_NUMBERS = 10
# A standard deviation over the median of absolute values, of a normal distribution.
_NORMAL = 1.4826
_LEAST_DEVIATIONS = 4.0
_MOST_SPREADS = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Suspect:
    """A label of an example that is probably wrong, and what it looks like instead.

    `label_probability` is the probability that the probe gives to the label or, of a
    number, to an error as large.
    """

    example: int
    label: str
    suggested: str
    label_probability: float


def suspects_of_classes(
    features: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    *,
    class_names: Sequence[str],
) -> list[Suspect]:
    """The examples whose labels are probably wrong, the most certain first.

    Features are `[examples, width]`, labels and groups `[examples]`. An example is
    predicted without the others of its group.

    Raises:
        DataError: if there are fewer than two classes of two independent examples.
    """
    folds = _fold_count(labels, groups, class_names)
    probabilities = _out_of_fold(_reduced(features), labels, groups, folds)
    return [
        Suspect(
            example=int(i),
            label=class_names[labels[i]],
            suggested=class_names[int(probabilities[i].argmax())],
            label_probability=float(probabilities[i, labels[i]]),
        )
        for i in _ranked(labels, probabilities)
        if probabilities[i].argmax() != labels[i]
    ]


def suspects_of_labels(
    features: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    *,
    class_names: Sequence[str],
) -> list[Suspect]:
    """Labels that examples probably lack, or have by mistake, most certain first.

    `labels` are 0 or 1, `[examples, labels]`. Each label is judged as two classes, with
    it and without; one that has too few independent examples of either is not judged.

    Raises:
        DataError: if all labels have too few.
    """
    require_labels(labels, groups, class_names)
    reduced = _reduced(features)
    suspected: list[Suspect] = []
    for place, name in enumerate(class_names):
        own = labels[:, place].astype(np.int64)
        folds = _folds_of_label(own, groups)
        if not folds:
            continue
        probabilities = _out_of_fold(reduced, own, groups, folds)
        suspected += [
            Suspect(
                example=int(i),
                label=name if own[i] else f"no {name}",
                suggested=f"no {name}" if own[i] else name,
                label_probability=float(probabilities[i, own[i]]),
            )
            for i in _ranked(own, probabilities)
            if probabilities[i].argmax() != own[i]
        ]
    return sorted(suspected, key=lambda suspect: suspect.label_probability)


def suspects_of_numbers(
    features: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    *,
    class_names: Sequence[str],
) -> list[Suspect]:
    """Numbers that are probably wrong, the most certain first.

    `labels` are `[examples, targets]`. A ridge predicts each example without its group.
    Errors are compared with their typical size, by their median, which wrong numbers
    hardly change. Suspect is an error that not one in twice as many examples would have
    if errors were normal (Chauvenet's criterion), and no less than four standard
    deviations, because errors have longer tails.

    Raises:
        DataError: if there are fewer than ten independent examples.
    """
    require_numbers(labels, groups, class_names)
    numbers = labels.astype(np.float64)
    parts = [features.reshape(len(features), -1)]
    middle = np.median(numbers, axis=0)
    spread = np.median(np.abs(numbers - middle), axis=0)
    spread = np.where(spread > 0, spread, numbers.std(axis=0))
    # An absurd number would bend the fit for all others.
    reach = _MOST_SPREADS * spread
    bounded = np.clip(numbers, middle - reach, middle + reach)
    scale = np.where(spread > 0, spread, 1.0)
    fitted = ridge.fit_targets(
        standardization_of(parts)(parts), (bounded - middle) / scale, groups=groups
    )
    expected = fitted.left_out * scale + middle
    errors = np.abs(numbers - expected)
    deviation = _NORMAL * np.median(errors, axis=0)
    most = max(_LEAST_DEVIATIONS, float(norm.isf(1 / (4 * len(labels)))))
    times = errors / np.where(deviation > 0, deviation, np.inf)
    rows, places = np.nonzero(times > most)
    order = np.argsort(-times[rows, places], kind="stable")
    of_name = [f"{name} " if len(class_names) > 1 else "" for name in class_names]
    return [
        Suspect(
            example=int(i),
            label=f"{of_name[j]}{numbers[i, j]:.6g}",
            suggested=f"{expected[i, j]:.6g}",
            label_probability=float(2 * norm.sf(times[i, j])),
        )
        for i, j in zip(rows[order].tolist(), places[order].tolist())
    ]


def _ranked(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Examples with suspect labels, the least probable label first."""
    # Importing it takes a second.
    from cleanlab.filter import find_label_issues

    # Their number follows from the confusion between the classes; the least probable
    # labels come first. On 1,797 digits, 3 % of them with a wrong label, this found
    # more of these, and less else, than the other four ways.
    return find_label_issues(
        labels,
        probabilities,
        return_indices_ranked_by="self_confidence",
        filter_by="low_self_confidence",
        n_jobs=1,
    )


def require_classes(
    labels: np.ndarray, groups: np.ndarray, class_names: Sequence[str]
) -> None:
    """Raises `DataError` unless there are two classes of two independent examples."""
    _fold_count(labels, groups, class_names)


def require_labels(
    labels: np.ndarray, groups: np.ndarray, class_names: Sequence[str]
) -> None:
    """Raises `DataError` unless two examples have a label and two others lack it."""
    if not any(_folds_of_label(column, groups) for column in labels.T):
        raise DataError(
            "--labels compares the examples that have a label with those without it,"
            " and needs two of each that are independent. No label of"
            f" {listing(map(repr, class_names), shown=10)} has them."
        )


def require_numbers(
    labels: np.ndarray, groups: np.ndarray, class_names: Sequence[str]
) -> None:
    """Raises `DataError` if there are fewer than ten independent examples."""
    count = len(np.unique(groups))
    if count < _FEWEST_NUMBERS:
        raise DataError(
            f"--labels compares numbers with what other examples say, and needs"
            f" {_FEWEST_NUMBERS} that are independent; there are {count}."
        )


def _folds_of_label(labels: np.ndarray, groups: np.ndarray) -> int:
    """Folds for a label, 0 or 1; 0 if too few independent examples are either."""
    counts = count_groups(labels.astype(np.int64), groups, 2)
    return min(_FOLDS, int(counts.min())) if counts.min() >= 2 else 0


def _fold_count(
    labels: np.ndarray, groups: np.ndarray, class_names: Sequence[str]
) -> int:
    counts = count_groups(labels, groups, len(class_names))
    if len(counts) < 2 or counts.min() < 2:
        few = [name for name, count in zip(class_names, counts) if count < 2]
        raise DataError(
            "--labels compares at least two classes, and each needs two examples that"
            f" are independent. There are {len(counts)}; too few examples have"
            f" {listing(map(repr, few), shown=10) or 'none of them'}."
        )
    return int(min(_FOLDS, counts.min()))


def _reduced(features: np.ndarray) -> np.ndarray:
    """The directions in which features differ most: a probe is ten times as fast."""
    count = min(_REDUCED_WIDTH, *features.shape)
    scaled = (features - features.mean(axis=0)) / (float(features.std()) or 1.0)
    pca = PCA(count, svd_solver="randomized", random_state=0)
    return pca.fit_transform(scaled)


def _out_of_fold(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, folds: int
) -> np.ndarray:
    """Probabilities `[examples, classes]`, each from a probe of the other folds."""
    probabilities = np.zeros((len(labels), int(labels.max()) + 1))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    for rest, held_out in splitter.split(features, labels, groups):
        probe = LogisticRegression(C=_INVERSE_PENALTY, max_iter=_MAX_STEPS)
        # The matrices are small: several threads would wait for each other.
        with warnings.catch_warnings(), threadpool_limits(limits=1):
            warnings.simplefilter("ignore", ConvergenceWarning)
            probe.fit(features[rest], labels[rest])
        predicted = probe.predict_proba(features[held_out])
        probabilities[np.ix_(held_out, probe.classes_)] = predicted
    return probabilities
