"""Models without a network for the same table: measured, printed, recommended.

Trees and linear models are hard to beat on tables. A person who asks for a network is
shown both, with their losses, and which of the three won on validation.
"""

from __future__ import annotations

import dataclasses
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.data.splits import Split, Splits, Table
from zoo.spec import Column

NETWORK = "network"
TREES = "histogram_gradient_boosting"
# Rows of training that they are fitted to at most: a minute of one core.
_MOST_ROWS = 20_000
# Of what scikit-learn's trees read as categories of their own.
_MOST_CATEGORIES = 250
_MOST_STEPS = 1000
_SMALLEST = 1e-7
# Standard errors; a network is asked for where it is better by more.
_CLEARLY = 2.0

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True)
class _Kind:
    """The models for a kind of problem, and how they are judged.

    `models` gives a linear model and trees, for a seed and the columns that trees read
    as categories. `measure` decides, and more of it is better if `sign` is 1. `loss` is
    the attribute of a report, called `loss_name` in ours. `judged` gives both and the
    standard error of the measure.
    """

    linear: str
    models: Callable[[int, Sequence[int] | None], tuple[Any, Any]]
    measure: str
    loss: str
    loss_name: str
    sign: float
    judged: Callable[[Any, Split], tuple[float, float, float]]


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
    kind = _KINDS.get(problem)
    if kind is None or not isinstance(inputs, Table):
        return None
    train = splits.train.take(_rows(len(splits.train), seed))
    models = {
        NETWORK: {
            f"{split}{suffix}": float(getattr(report, name))
            for split, report in zip(("validation", "test"), reports, strict=True)
            for suffix, name in (("", kind.measure), ("_loss", kind.loss))
        }
    }
    for name, model in _models(inputs.columns, kind, seed):
        models[name] = _measured(model, train, splits, kind)
    best = _simplest(models, kind.sign)
    if best != NETWORK:
        _logger.warning(
            "On validation %s is as good as the network on this table, or better, and"
            " needs none: %s %.4g (loss %.4g) against %.4g (loss %.4g). It is the one"
            " to use, unless you need what the network brings: transfer, or a served"
            " artifact.",
            best.replace("_", " "),
            kind.measure.replace("_", " "),
            models[best]["validation"],
            models[best]["validation_loss"],
            models[NETWORK]["validation"],
            models[NETWORK]["validation_loss"],
        )
    return {
        "measure": kind.measure,
        "loss": kind.loss_name,
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
    columns: Sequence[Column], kind: _Kind, seed: int
) -> Iterator[tuple[str, Any]]:
    """The models of scikit-learn, unfitted, each with its preparation of columns."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
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
    linear, trees = kind.models(seed, few or None)
    yield kind.linear, make_pipeline(prepared, linear)
    yield TREES, trees


def _classifiers(seed: int, categories: Sequence[int] | None) -> tuple[Any, Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    trees = HistGradientBoostingClassifier(
        categorical_features=categories, random_state=seed
    )
    return LogisticRegression(max_iter=_MOST_STEPS), trees


def _regressors(seed: int, categories: Sequence[int] | None) -> tuple[Any, Any]:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import Ridge
    from sklearn.multioutput import MultiOutputRegressor

    trees = HistGradientBoostingRegressor(
        categorical_features=categories, random_state=seed
    )
    return Ridge(), MultiOutputRegressor(trees)


def _measured(
    model: Any, train: Split, splits: Splits, kind: _Kind
) -> dict[str, float]:
    """The measure and the loss of a model, fitted to training, on both other splits."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    rows, labels, weights = _table(train), train.labels, train.weights
    # Trees of small tables wait for threads: one takes a second where two take minutes.
    with warnings.catch_warnings(), threadpool_limits(1):
        # The last step counts as it is: they are compared, and not published.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UserWarning)
        fit_with = {} if weights is None else _weights(model, weights)
        model.fit(rows, labels, **fit_with)
        values: dict[str, float] = {}
        for split in (splits.validation, splits.test):
            measure, loss, error = kind.judged(model, split)
            values[split.name], values[f"{split.name}_loss"] = measure, loss
            values.setdefault("standard_error", error)  # of validation
    return values


def _weights(model: Any, weights: np.ndarray) -> Mapping[str, np.ndarray]:
    """The argument for weights; a pipeline hands them to its last step."""
    if hasattr(model, "steps"):
        return {f"{model.steps[-1][0]}__sample_weight": weights}
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


_KINDS = {
    "single_label": _Kind(
        linear="logistic_regression",
        models=_classifiers,
        measure="accuracy",
        loss="loss",
        loss_name="log_loss",
        sign=1.0,
        judged=_of_classes,
    ),
    "regression": _Kind(
        linear="ridge_regression",
        models=_regressors,
        measure="mean_absolute_error",
        loss="root_mean_squared_error",
        loss_name="root_mean_squared_error",
        sign=-1.0,
        judged=_of_numbers,
    ),
}
