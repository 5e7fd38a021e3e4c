"""Models without a network for the same table: measured, printed, recommended.

Trees and linear models are hard to beat on tables. A person who asks for a network is
shown both, with their losses, and which of the three won on validation.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.data.splits import Split, Splits, Table
from zoo.spec import Column

NETWORK = "network"
LINEAR, TREES = "linear_model", "histogram_gradient_boosting"
_NAMES = {
    "single_label": {LINEAR: "logistic_regression", TREES: TREES},
    "regression": {LINEAR: "ridge_regression", TREES: TREES},
}
# The measure that decides, its loss, and the sign that makes more of it better.
_MEASURES = {
    "single_label": ("accuracy", "loss", 1.0),
    "regression": ("mean_absolute_error", "root_mean_squared_error", -1.0),
}
# Rows of training that they are fitted to at most: a minute of one core.
_MOST_ROWS = 20_000
# Of what scikit-learn's trees read as categories of their own.
_MOST_CATEGORIES = 250
_MOST_STEPS = 1000
_SMALLEST = 1e-7
# Standard errors; a network is asked for where it is better by more.
_CLEARLY = 2.0

_logger = logging.getLogger("zootune")


def compare_simple(
    splits: Splits, problem: str, reports: Sequence[Any], *, seed: int = 0
) -> dict[str, Any] | None:
    """Validation and test of both models beside the network's, by name.

    `reports` are of the network: validation and test. `recommended` is the simplest
    whose measure on validation is within two standard errors of the best: linear,
    trees, network. None for other data than tables, and for labels that they do not
    answer.
    """
    inputs = splits.train.inputs
    if not isinstance(inputs, Table) or problem not in _MEASURES:
        return None
    measure, loss, sign = _MEASURES[problem]
    train = splits.train.take(_rows(len(splits.train), seed))
    models = {
        NETWORK: {
            f"{split}{suffix}": float(getattr(report, name))
            for split, report in zip(("validation", "test"), reports, strict=True)
            for suffix, name in (("", measure), ("_loss", loss))
        }
    }
    for kind, model in _models(inputs.columns, problem, seed):
        name = _NAMES[problem][kind]
        models[name] = _measured(model, train, splits, problem)
    best = _simplest(models, sign)
    if best != NETWORK:
        _logger.warning(
            "On validation %s is as good as the network on this table, or better, and"
            " needs none: %s %.4g (loss %.4g) against %.4g (loss %.4g). It is the one"
            " to use, unless you need what the network brings: transfer, or a served"
            " artifact.",
            best.replace("_", " "),
            measure.replace("_", " "),
            models[best]["validation"],
            models[best]["validation_loss"],
            models[NETWORK]["validation"],
            models[NETWORK]["validation_loss"],
        )
    return {
        "measure": measure,
        "loss": "log_loss" if problem == "single_label" else loss,
        "rows": len(train),
        "models": models,
        "recommended": best,
    }


def _simplest(models: Mapping[str, Mapping[str, float]], sign: float) -> str:
    """The first model that the best is not better than by more than chance."""
    best = max(sign * values["validation"] for values in models.values())
    *simple, network = (*(name for name in models if name != NETWORK), NETWORK)
    for name in simple:
        values = models[name]
        if sign * values["validation"] >= best - _CLEARLY * values["standard_error"]:
            return name
    return network


def _rows(count: int, seed: int) -> np.ndarray:
    if count <= _MOST_ROWS:
        return np.arange(count)
    draw = np.random.default_rng(seed)
    return np.sort(draw.choice(count, _MOST_ROWS, replace=False))


def _models(
    columns: Sequence[Column], problem: str, seed: int
) -> Iterator[tuple[str, Any]]:
    """The models of scikit-learn, unfitted, each with its preparation of columns."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [i for i, column in enumerate(columns) if column.is_number]
    kinds = [i for i, column in enumerate(columns) if not column.is_number]
    filled = SimpleImputer(
        strategy="median", add_indicator=True, keep_empty_features=True
    )
    one_hot = OneHotEncoder(handle_unknown="ignore")
    prepared = make_column_transformer(
        (make_pipeline(filled, StandardScaler()), numbers), (one_hot, kinds)
    )
    few = [i for i in kinds if len(columns[i].categories or ()) <= _MOST_CATEGORIES]
    settings = {"categorical_features": few or None, "random_state": seed}
    if problem == "regression":
        yield LINEAR, make_pipeline(prepared, Ridge())
        yield TREES, HistGradientBoostingRegressor(**settings)
        return
    yield LINEAR, make_pipeline(prepared, LogisticRegression(max_iter=_MOST_STEPS))
    yield TREES, HistGradientBoostingClassifier(**settings)


def _measured(
    model: Any, train: Split, splits: Splits, problem: str
) -> dict[str, float]:
    """The measure and the loss of a model, fitted to training, on both other splits."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.multioutput import MultiOutputRegressor
    from threadpoolctl import threadpool_limits

    rows, labels, weights = _table(train), train.labels, train.weights
    if problem == "regression":
        model = MultiOutputRegressor(model)
    # Trees of small tables wait for threads: one takes a second where two take minutes.
    with warnings.catch_warnings(), threadpool_limits(1):
        # The last step counts as it is: they are compared, and not published.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UserWarning)
        fit_with = {} if weights is None else _weights(model, weights)
        model.fit(rows, labels, **fit_with)
        values: dict[str, float] = {}
        for split in (splits.validation, splits.test):
            measure, loss, error = _OF[problem](model, split)
            values[split.name], values[f"{split.name}_loss"] = measure, loss
            values.setdefault("standard_error", error)  # of validation
    return values


def _weights(model: Any, weights: np.ndarray) -> Mapping[str, np.ndarray]:
    """The argument for weights; a pipeline hands them to its last step."""
    if hasattr(model, "steps"):
        return {f"{model.steps[-1][0]}__sample_weight": weights}
    if hasattr(model, "estimator") and hasattr(model.estimator, "steps"):
        return {f"{model.estimator.steps[-1][0]}__sample_weight": weights}
    return {"sample_weight": weights}


def _table(split: Split) -> np.ndarray:
    if not isinstance(split.inputs, Table):
        raise ValueError(f"{split.inputs.modality} examples are not rows.")
    return split.inputs.values.astype(np.float64)


def _of_classes(model: Any, split: Split) -> tuple[float, float, float]:
    probabilities = model.predict_proba(_table(split))
    # A class without a training example has no column.
    place = {label: i for i, label in enumerate(model.classes_.tolist())}
    columns = np.array([place.get(label, -1) for label in split.labels.tolist()])
    own = np.where(columns < 0, 0.0, probabilities[np.arange(len(columns)), columns])
    right = model.classes_[probabilities.argmax(axis=1)] == split.labels
    losses = -np.log(np.maximum(own, _SMALLEST))
    # With one mistake more, and one right: where none is wrong, chance is not nothing.
    share = (right.sum() + 1) / (len(right) + 2)
    return (
        float(np.average(right, weights=split.weights)),
        float(np.average(losses, weights=split.weights)),
        float(np.sqrt(share * (1 - share) / len(right))),
    )


def _of_numbers(model: Any, split: Split) -> tuple[float, float, float]:
    off = model.predict(_table(split)).reshape(split.labels.shape) - split.labels
    absolute = np.average(np.abs(off), axis=0, weights=split.weights)
    squares = np.average(np.square(off), axis=0, weights=split.weights)
    deviation = np.abs(off).mean(axis=1).std()
    return (
        float(absolute.mean()),
        float(np.sqrt(squares).mean()),
        float(deviation / np.sqrt(len(off))),
    )


_OF = {"single_label": _of_classes, "regression": _of_numbers}
