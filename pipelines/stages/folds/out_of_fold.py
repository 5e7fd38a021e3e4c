"""Answers of linear probes for examples that they were not fitted to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.planning.evidence import ProbeScore
from pipelines.probing.probe import Probe
from pipelines.problems.protocol import Problem


def outputs_of(
    problem: Problem, probe: Probe, parts: Sequence[np.ndarray], *, units: int
) -> np.ndarray:
    """The outputs of a model whose head is this probe, float32 `[n, outputs]`.

    `parts` has an array `[n, width]` for every block. The dense layer has `units`; a
    class behind those of the probe was in none of its examples, and has the logit 0, as
    one between them would.
    """
    logits = probe.standardization(parts) @ probe.kernel + probe.bias
    missing = units - logits.shape[1]
    outputs = np.pad(logits, ((0, 0), (0, missing))) if missing > 0 else logits
    for layer in problem.output_layers(probe):
        outputs = np.asarray(layer(outputs))
    return outputs.astype(np.float32, copy=False)


def out_of_fold(
    problem: Problem,
    parts: Sequence[np.ndarray],
    labels: np.ndarray,
    folds: np.ndarray,
    scored: ProbeScore,
    *,
    units: int,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """The outputs for every example, by a probe on the examples of the other folds.

    Penalty and sharpness are those of `scored`, for all folds the same. Rows
    are in the order of the examples.
    """
    outputs: np.ndarray | None = None
    for fold in np.unique(folds):
        others, own = folds != fold, folds == fold
        probe = problem.linear_probe(
            [part[others] for part in parts],
            labels[others],
            scored,
            weights=None if weights is None else weights[others],
        )
        answers = outputs_of(problem, probe, [part[own] for part in parts], units=units)
        if outputs is None:
            outputs = np.zeros((len(labels), answers.shape[1]), np.float32)
        outputs[own] = answers
    if outputs is None:
        raise ValueError("There are no examples to leave out.")
    return outputs
