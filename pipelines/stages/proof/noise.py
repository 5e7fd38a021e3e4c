"""How far the model in memory is off from itself, and by which units that counts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from pipelines.problems.protocol import Problem
from pipelines.serving.parity import Yardstick
from pipelines.stages.proof.asking import ModelOutputs, asking
from pipelines.training.transfer_model import TransferModel

# Examples that the model in memory is asked about one by one, and by threes.
_ALONE = 4


def noise_of(
    reference: keras.Model,
    calibration: Any,
    ask: Callable[[np.ndarray], ModelOutputs],
    read: np.ndarray,
    outputs: ModelOutputs,
    yardstick: Yardstick,
    problem: Problem,
) -> dict[str, float]:
    """The differences of the model in memory from itself, by kind of output."""
    eager = asking(reference, calibration, read, explain=False, in_graph=False)
    variants: list[tuple[slice, ModelOutputs]] = [(slice(None), eager(read))]
    for i in range(min(_ALONE, len(read))):
        variants.append((slice(i, i + 1), ask(read[i : i + 1])))
    variants.append((slice(0, 3), ask(read[:3])))
    with weights_one_step_off(reference):
        variants.append((slice(None), ask(read)))
    noise: dict[str, float] = {}
    whole = _numbers(calibration, outputs, problem)
    for rows, variant in variants:
        for kind, values in _numbers(calibration, variant, problem).items():
            far = yardstick.differences(kind, whole[kind][rows], values)
            noise[kind] = max(noise.get(kind, 0.0), float(far.max()))
    return noise


@contextlib.contextmanager
def weights_one_step_off(network: keras.Model) -> Iterator[None]:
    """Every float32 weight is the number above or below it, for as long as this lasts.

    So much every way to compute them differently does, such as folding constants.
    """
    rng = np.random.default_rng(0)
    before = []
    try:
        for variable in network.variables:
            if variable.dtype == "float32":
                value = np.array(variable)
                before.append((variable, value))
                to = np.where(rng.integers(0, 2, value.shape), np.inf, -np.inf)
                variable.assign(np.nextafter(value, to.astype(np.float32)))
        yield
    finally:
        for variable, value in before:
            variable.assign(value)


def _numbers(
    calibration: Any, outputs: ModelOutputs, problem: Problem
) -> dict[str, np.ndarray]:
    numbers = {
        **problem.numbers(calibration, outputs.logits, outputs.features),
        "features": outputs.features,
    }
    return numbers if outputs.heat is None else {**numbers, "heat_map": outputs.heat}


def ood_unit(calibration: Any, outputs: ModelOutputs) -> float:
    """The change of the score for a relative change of 1 of logits and features.

    Energy changes by no more than the logits do; a distance by no more than a unit
    vector does, times what whitening stretches it by.
    """
    units = [0.0]
    if getattr(calibration, "energy", None):
        spread = calibration.energy.largest - calibration.energy.median
        units.append(float(np.abs(outputs.logits).max()) / spread)
    if calibration.distance and calibration.space:
        space = calibration.space
        stretched = np.linalg.norm(space.whitening.astype(np.float64), 2)
        most = max(float(stretched), float(np.sqrt(space.outside_weight)))
        units.append(
            most / (calibration.distance.largest - calibration.distance.median)
        )
    return max(units) or 1.0


def parts_of(
    model: TransferModel, features: np.ndarray
) -> tuple[tuple[int, float], ...]:
    """The width of each block's part of the feature vector, and its usual norm."""
    widths = [int(part.shape[-1]) for part in model.pooled_blocks.values()] or [
        features.shape[1]
    ]
    parts = np.split(features, np.cumsum(widths)[:-1], axis=1)
    return tuple(
        (width, float(np.linalg.norm(part.astype(np.float64), axis=1).mean()))
        for width, part in zip(widths, parts)
    )
