"""Heads by the blocks they read, beside logistic regression on the last block.

The blocks of a backbone are read once over the training split. At each number of images
per class, some are drawn by seed, linear classifiers are fitted to their features, and
tested on the images of that split that were not drawn; its own test split is not used.
`logistic` is scikit-learn's regression on the standardized average of the last block;
`last`, `all` and `cells` are the three heads that a run compares, and `chosen` is the
one that it would take, by what it says of drawn images left out of the fit.

A second table refits the chosen head: `refit` is a softmax regression by L-BFGS on the
same features, rotated to as many directions as there are images, which changes nothing
but the time. Its penalty is the one of a warm-started path that errs least on five
folds. Differences are paired by draw; below zero in accuracy, or above zero in log loss
and calibration error, the refit is worse than the closed form.

Command: python -m benchmarks.heads builtin:mnist_5k --size=96 --shots 5 20 --seeds=5
Cost:    about 3 minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

import zoo
from pipelines.calibration.reliability import reliability
from pipelines.config import RunConfig
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.probing import ridge
from pipelines.probing.probe import Probe, linear_probe, score
from pipelines.runtime.clock import Clock
from pipelines.stages import measure as measuring
from pipelines.stages.base import freeze_base

_HEADS = ("last", "all", "cells")
_COLUMNS = ("logistic", *_HEADS, "chosen")
_REFITTED = ("accuracy", "log loss", "calibration error")
# Penalties on squared weights, relative to the mean loss of an example.
_PENALTIES = np.logspace(0, -5, 11)
_STEPS, _FOLDS = 60, 5


@dataclasses.dataclass(frozen=True)
class _Drawn:
    """The results of one draw of the images.

    `accuracies` go with the columns, `closed` and `refit` with the measures of the
    chosen head.
    """

    accuracies: list[float]
    closed: list[float]
    refit: list[float]
    closed_seconds: float
    refit_seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", metavar="REF")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--size", type=int, default=0, help="0: the backbone's own")
    parser.add_argument("--shots", type=int, nargs="+", default=[5, 20])
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    measured = _measured(arguments.data, arguments.backbone, arguments.size)
    drawn = {
        shots: [_compared(measured, shots, seed) for seed in range(arguments.seeds)]
        for shots in arguments.shots
    }
    _print_row("images per class", _COLUMNS)
    _print_row("---", ["---"] * len(_COLUMNS))
    for shots, draws in drawn.items():
        _print_row(shots, _with_errors([draw.accuracies for draw in draws]))
    print()
    kinds = ("closed", "refit less")
    columns = [f"{name}, {kind}" for name in _REFITTED for kind in kinds]
    columns += ["seconds, closed", "refit"]
    _print_row("images per class", columns)
    _print_row("---", ["---"] * len(columns))
    for shots, draws in drawn.items():
        closed = _with_errors([draw.closed for draw in draws])
        less = _with_errors(
            [np.subtract(draw.refit, draw.closed) for draw in draws], sign="+"
        )
        pairs = [cell for pair in zip(closed, less) for cell in pair]
        seconds = np.mean(
            [(draw.closed_seconds, draw.refit_seconds) for draw in draws], axis=0
        )
        _print_row(shots, [*pairs, *(f"{value:.2f}" for value in seconds)])


def _print_row(first: object, cells) -> None:
    print(f"| {first} | {' | '.join(cells)} |", flush=True)


def _with_errors(rows, *, sign: str = "") -> list[str]:
    """Means over draws and their standard errors."""
    mean = np.mean(rows, axis=0)
    error = np.std(rows, axis=0, ddof=1) / np.sqrt(len(rows))
    return [f"{m:{sign}.4f} ± {e:.4f}" for m, e in zip(mean, error)]


def _measured(data: str, backbone: str, size_px: int) -> measuring.Measured:
    """The features of all blocks for the first thousands of the training split."""
    keras.utils.set_random_seed(0)
    base = freeze_base(zoo.build(backbone, input_size_px=size_px or None))
    splits = load(DatasetRef.parse(data))
    config = RunConfig(data=data, backbone=backbone)
    return measuring.measure(base, splits, config, Clock())


def _compared(measured, shots: int, seed: int) -> _Drawn:
    labels, heads = measured.labels, measured.evidence.heads
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    drawn = np.concatenate(
        [shuffled[labels[shuffled] == label][:shots] for label in np.unique(labels)]
    )
    others = np.setdiff1d(shuffled, drawn)
    found, scores = [], []
    for head in heads:
        parts = [measured.train[block, head.grid] for block in head.reads]
        some = [part[drawn] for part in parts]
        started = time.monotonic()
        scored = score(
            some, labels[drawn], groups=None, reads=head.reads, grid=head.grid
        )
        probe = linear_probe(some, labels[drawn], scored)
        seconds = time.monotonic() - started
        rest = np.concatenate([part[others] for part in parts], axis=1)
        measures = _measures(probe, rest, labels[others])
        found.append((measures, seconds, probe, np.concatenate(some, axis=1), rest))
        scores.append(scored.quality)
    chosen, seconds, probe, read, rest = found[
        max(range(len(scores)), key=scores.__getitem__)
    ]
    started = time.monotonic()
    refit = _refit(probe, read, labels[drawn])
    refit_seconds = time.monotonic() - started
    last = measured.train[heads[0].reads[0], 1].astype(np.float32)
    scaler = StandardScaler().fit(last[drawn])
    regression = LogisticRegression(max_iter=1000)
    regression.fit(scaler.transform(last[drawn]), labels[drawn])
    logistic = regression.score(scaler.transform(last[others]), labels[others])
    accuracies = [measures[0] for measures, *_ in found]
    return _Drawn(
        [float(logistic), *accuracies, chosen[0]],
        chosen,
        _measures(refit, rest, labels[others]),
        seconds,
        refit_seconds,
    )


def _measures(probe: Probe, features: np.ndarray, labels: np.ndarray) -> list[float]:
    """Accuracy, log loss and calibration error."""
    logits = probe.standardization([features]) @ probe.kernel + probe.bias
    logs = log_softmax(logits.astype(np.float64), axis=1)
    measures = reliability(logs, labels)
    right = (logits.argmax(axis=1) == labels).mean()
    return [float(right), measures.log_loss, measures.calibration_error]


def _refit(probe: Probe, features: np.ndarray, labels: np.ndarray) -> Probe:
    """A softmax regression on the standardized features of the probe."""
    x = probe.standardization([features]).astype(np.float64)
    mean = x.mean(axis=0)
    u, values = ridge.eigen(x - mean)
    back = (x - mean).T @ (u / np.sqrt(values))
    folds = min(_FOLDS, int(np.bincount(labels).min()))
    regression = LogisticRegressionCV(
        Cs=1 / (len(x) * _PENALTIES),
        cv=StratifiedKFold(folds, shuffle=True, random_state=0),
        scoring="neg_log_loss",
        max_iter=_STEPS,
    )
    with warnings.catch_warnings():
        # A fixed number of steps, converged or not.
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression.fit(u * np.sqrt(values), labels)
    kernel = back @ regression.coef_.T
    bias = regression.intercept_ - mean @ kernel
    return dataclasses.replace(probe, kernel=kernel, bias=bias)


if __name__ == "__main__":
    main()
