"""Other shares of classes in the target: answers are weighted by what EM estimates."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from pipelines.methods.adaptation.domains import Domains, Settings
from pipelines.methods.adaptation.head import Adapted, unchanged

_MOST_ROUNDS = 1000
_CONVERGED = 1e-6
_LEAST_SHARE = 1e-4
# The pull of biases to 0, in examples: a class that validation lacks has none.
_PULL = 1.0


def label_shift(domains: Domains, settings: Settings) -> Adapted:
    """The head of the source, with the estimated shares of classes of the target.

    By expectation maximization (Saerens, https://doi.org/10.1162/089976602753284446)
    on answers that a temperature and a bias for each class calibrate
    (https://arxiv.org/abs/1901.06852). Nothing trains. Right where classes look the
    same in both domains and only their shares differ.
    """
    source = unchanged(domains.probe).head
    factor, bias = bias_corrected(
        source.logits([domains.validation]), domains.validation_labels
    )
    calibrated = factor * source.logits([domains.target]) + bias
    before = np.bincount(domains.labels, minlength=domains.classes) + 1.0
    before /= before.sum()
    after = target_shares(softmax(calibrated.astype(np.float64), axis=1), before)
    shifted = (bias + np.log(after) - np.log(before)) / factor
    head = dataclasses.replace(source, bias=(source.bias + shifted).astype(np.float32))
    return Adapted(head, source)


def bias_corrected(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """The factor and the bias `[classes]` by which logits are likeliest."""
    logits, classes = logits.astype(np.float64), logits.shape[1]
    rows, hot = np.arange(len(labels)), np.eye(classes)[labels]

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        factor, bias = np.exp(x[0]), x[1:]
        logs = log_softmax(factor * logits + bias, axis=1)
        wrong = np.exp(logs) - hot
        pull = _PULL * bias
        slope = [factor * (wrong * logits).sum(), *(wrong.sum(axis=0) + pull)]
        return -logs[rows, labels].sum() + pull @ bias / 2, np.array(slope)

    best = minimize(loss, np.zeros(classes + 1), jac=True, method="L-BFGS-B")
    return float(np.exp(best.x[0])), best.x[1:]


def target_shares(probabilities: np.ndarray, source: np.ndarray) -> np.ndarray:
    """The likeliest shares of classes, of answers `[rows, classes]` under `source`."""
    shares = source.copy()
    for _ in range(_MOST_ROUNDS):
        weighted = probabilities * (shares / source)
        weighted /= weighted.sum(axis=1, keepdims=True)
        new = np.maximum(weighted.mean(axis=0), _LEAST_SHARE)
        new /= new.sum()
        if np.abs(new - shares).max() < _CONVERGED:
            return np.asarray(new)
        shares = new
    return shares
