"""Accuracies without a network, to compare a model with."""

from __future__ import annotations

import functools
import logging
import math

import numpy as np

from pipelines.data.splits import Series, Splits

# Numbers that are compared at most: a second on one core.
_MOST_COMPARED = 10**9
_ROWS = 64

_logger = logging.getLogger("zootune")


def baselines(splits: Splits) -> dict[str, float]:
    """Accuracies on test, by name.

    `commonest_class` always answers the most frequent class of training.
    `nearest_series` answers the class of the nearest training series, by the distance
    of their numbers; it is left out where that is expensive. Examples count by their
    weights.
    """
    train, test = splits.train, splits.test
    commonest = np.bincount(train.labels, train.weights).argmax()
    mean = functools.partial(np.average, weights=test.weights)
    accuracies = {"commonest_class": float(mean(test.labels == commonest))}
    if isinstance(train.inputs, Series) and isinstance(test.inputs, Series):
        length = math.prod(train.inputs.values.shape[1:])
        if len(train) * len(test) * length <= _MOST_COMPARED:
            nearest = _nearest(train.inputs.values, test.inputs.values)
            right = train.labels[nearest] == test.labels
            accuracies["nearest_series"] = float(mean(right))
    return accuracies


def _nearest(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """The row of training that is next to each of test; a missing value counts as 0."""
    known = np.nan_to_num(train.reshape(len(train), -1).astype(np.float64))
    asked = np.nan_to_num(test.reshape(len(test), -1).astype(np.float64))
    squares = np.square(known).sum(axis=1)
    rows = [
        (squares - 2 * asked[at : at + _ROWS] @ known.T).argmin(axis=1)
        for at in range(0, len(asked), _ROWS)
    ]
    return np.concatenate(rows)


def warn_where_no_better(accuracy: float, baselines: dict[str, float]) -> None:
    """Warns if a model is not better than a baseline."""
    commonest = baselines["commonest_class"]
    if accuracy <= commonest:
        _logger.warning(
            "The model is right on %.1f%% of test, and always saying the commonest"
            " class on %.1f%%: it has learned nothing that helps there. Look at the"
            " labels (`zoo check`), train longer (finetune.epochs), or try another"
            " backbone (`zoo rank`).",
            100 * accuracy,
            100 * commonest,
        )
    nearest = baselines.get("nearest_series", 0.0)
    if accuracy < nearest:
        _logger.warning(
            "The class of the nearest training series is right on %.1f%% of test, and"
            " the model on %.1f%%: train longer (finetune.epochs), or try"
            " strategy='auto' and another backbone.",
            100 * nearest,
            100 * accuracy,
        )
