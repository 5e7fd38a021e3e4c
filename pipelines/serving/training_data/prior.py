"""Other shares of classes than in training: estimated, and answered by."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.errors import ArtifactError, DataError
from pipelines.serving.artifact import Manifest
from pipelines.serving.prediction import Prediction

_ROUNDING = 0.01
_MOST_STEPS = 1000
_ENOUGH = 1e-8
_TINY = 1e-12


def estimated_shares(probabilities: np.ndarray, trained: np.ndarray) -> np.ndarray:
    """The most likely shares of classes `[classes]` in a batch.

    `probabilities` `[n, classes]` are calibrated to the shares `trained`. Right if the
    examples of each class look as before (label shift); by expectation maximization:
    https://doi.org/10.1162/089976602753284446
    """
    shares = trained = np.maximum(trained / trained.sum(), _TINY)
    for _ in range(_MOST_STEPS):
        now = reweighted(probabilities, trained, shares).mean(axis=0)
        is_still = np.abs(now - shares).max() < _ENOUGH
        shares = now
        if is_still:
            break
    return shares


def reweighted(
    probabilities: np.ndarray, trained: np.ndarray, shares: np.ndarray
) -> np.ndarray:
    """The probabilities `[n, classes]` if classes have other `shares` than trained."""
    weighted = np.maximum(probabilities, _TINY) * (shares / np.maximum(trained, _TINY))
    return weighted / weighted.sum(axis=1, keepdims=True)


def trained_shares(manifest: Manifest) -> np.ndarray:
    """The shares of classes in validation, which probabilities are calibrated to.

    Raises:
        ArtifactError: if the artifact has no classes, or its data were not counted.
    """
    counts = manifest.data.get("counts", {}).get("validation", {})
    names = manifest.class_names
    outputs = manifest.signatures["serving_default"]["outputs"]
    if "label" not in outputs or set(counts) != set(names):
        raise ArtifactError(
            f"A prior is for shares of classes, and this artifact answers"
            f" {manifest.problem} without counts of them. Ask it without a prior."
        )
    values = np.array([counts[name] for name in names], np.float64)
    return values / max(values.sum(), 1)


def shares_of(prior: Mapping[str, float], class_names: Sequence[str]) -> np.ndarray:
    """The shares of a prior in the order of the classes, `[classes]`.

    Raises:
        DataError: if a class is missing or unknown, a share is negative, or they do not
            sum to 1.
    """
    if set(prior) != set(class_names):
        odd = sorted(set(prior) ^ set(class_names))
        raise DataError(
            f"The prior and the classes differ in {', '.join(map(str, odd[:10]))}. Give"
            " a share for each class of the artifact."
        )
    shares = np.array([float(prior[name]) for name in class_names])
    is_fine = np.isfinite(shares).all() and (shares >= 0).all()
    if not is_fine or abs(shares.sum() - 1) > _ROUNDING:
        raise DataError(
            f"The shares of the prior are {', '.join(f'{x:g}' for x in shares[:10])},"
            f" and sum to {shares.sum():g}. Give numbers from 0 to 1 that sum to 1."
        )
    return shares / shares.sum()


def with_prior(
    prediction: Prediction, manifest: Manifest, trained: np.ndarray, shares: np.ndarray
) -> Prediction:
    """The prediction if classes have other shares than they had in training.

    The thresholds of confidence and of the prediction set are those of training.
    """
    if not prediction.valid:
        return prediction
    names = manifest.class_names
    before = np.array([[prediction.probabilities[name] for name in names]])
    (now,) = reweighted(before, trained, shares)
    order = np.argsort(-now, kind="stable")
    sets = manifest.calibration.get("prediction_sets") or ({"threshold": 0.0},)
    confidence = float(now[order[0]])
    is_confident = confidence >= manifest.thresholds.get("confidence", 0.0)
    return dataclasses.replace(
        prediction,
        label=names[order[0]],
        confidence=confidence,
        probabilities=dict(zip(names, map(float, now))),
        accepted=bool(is_confident and prediction.ood_score <= 1),
        prediction_set=tuple(
            names[k] for k in order if k == order[0] or now[k] >= sets[0]["threshold"]
        ),
    )
