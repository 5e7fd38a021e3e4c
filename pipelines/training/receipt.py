"""The receipt of a phase: which blocks were trainable, and how far each one moved.

Measured against a copy of the weights that the phase starts from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from pipelines.errors import TrainingError
from pipelines.training.lora import plain_weights
from zoo.graph.blocks import KeepsStatistics, layers_inside


@dataclasses.dataclass(frozen=True)
class WeightChange:
    """The change of one block (or the head) from the start of a phase to its end.

    `largest_change` is the largest absolute change of any weight, `relative_change` the
    norm of the change over the norm at the start, `statistics_change` the largest
    absolute change of a BatchNormalization mean or variance, or of other statistics of
    a layer. `reestimated_change` is the change of statistics that were re-estimated
    before training; no other number includes it.
    """

    block: str
    trainable: bool
    largest_change: float
    relative_change: float
    statistics_change: float
    reestimated_change: float = 0.0


class WeightSnapshot:
    """The values of all weights of a model at one moment, by variable.

    Any model that shares variables with it finds their values, in its own order, even
    after layers got additional weights and lost them again.
    """

    def __init__(self, model: keras.Model) -> None:
        self._values = {
            id(variable): keras.ops.convert_to_numpy(variable).copy()
            for variable in model.weights
        }

    def of(self, model: keras.Model) -> list[np.ndarray]:
        """The values for `model.set_weights`."""
        return [self._values[id(variable)] for variable in model.weights]


BlockWeights = dict[str, list[np.ndarray]]


def snapshot(
    layers_by_block: Mapping[str, Sequence[keras.layers.Layer]],
) -> BlockWeights:
    """A copy of all weights, block by block, in the order of the layers.

    Without the states of random generators, which advance in every step. Factors of low
    rank count by the change that they make to their kernels.
    """
    return {
        block: [value.copy() for _, value in plain_weights(layers)]
        for block, layers in layers_by_block.items()
    }


def accept_statistics(
    before: BlockWeights, layers_by_block: Mapping[str, Sequence[keras.layers.Layer]]
) -> tuple[BlockWeights, dict[str, float]]:
    """The snapshot with the present statistics, and their largest change by block.

    Only statistics are accepted: `measure` still sees any other weight that moved.
    """
    accepted: BlockWeights = {}
    changes: dict[str, float] = {}
    for block, layers in layers_by_block.items():
        statistics = {id(v) for layer in layers for v in _statistics(layer)}
        now = [
            value.copy() if id(v) in statistics else old
            for (v, value), old in zip(plain_weights(layers), before[block])
        ]
        accepted[block] = now
        changes[block] = _largest([n - o for n, o in zip(now, before[block])])
    return accepted, changes


def measure(
    before: BlockWeights,
    layers_by_block: Mapping[str, Sequence[keras.layers.Layer]],
    *,
    trainable: Sequence[str],
    reestimated: Mapping[str, float] | None = None,
) -> tuple[WeightChange, ...]:
    """The change of every block since the snapshot, in the order of the blocks.

    `reestimated` are the changes that `accept_statistics` returned.
    """
    return tuple(
        dataclasses.replace(
            _change(block, before[block], layers, trainable=block in trainable),
            reestimated_change=(reestimated or {}).get(block, 0.0),
        )
        for block, layers in layers_by_block.items()
    )


def refuse_moved(
    phase: str, changes: Sequence[WeightChange], *, statistics_frozen: bool
) -> None:
    """Raises `TrainingError` if anything frozen moved at all."""
    for change in changes:
        frozen_moved = not change.trainable and change.largest_change != 0
        statistics_moved = statistics_frozen and change.statistics_change != 0
        if frozen_moved or statistics_moved:
            raise TrainingError(
                f"In phase '{phase}' the block '{change.block}' moved although it was"
                f" frozen: weights by {change.largest_change:.3g}, BatchNorm"
                f" statistics by {change.statistics_change:.3g}. The result does not"
                " follow the plan, so it was not kept."
            )


def _change(
    block: str,
    before: list[np.ndarray],
    layers: Sequence[keras.layers.Layer],
    *,
    trainable: bool,
) -> WeightChange:
    weights = plain_weights(layers)
    changes = [now - old for (_, now), old in zip(weights, before, strict=True)]
    statistics = {id(v) for layer in layers for v in _statistics(layer)}
    start = np.sqrt(sum(float(np.square(old).sum()) for old in before))
    moved = np.sqrt(sum(float(np.square(change).sum()) for change in changes))
    return WeightChange(
        block=block,
        trainable=trainable,
        largest_change=_largest(changes),
        relative_change=float(moved / start) if start else float(moved),
        statistics_change=_largest(
            [c for c, (v, _) in zip(changes, weights) if id(v) in statistics]
        ),
    )


def _statistics(layer: keras.layers.Layer) -> Sequence[keras.Variable]:
    if isinstance(layer, KeepsStatistics):
        return layer.statistics
    return [
        variable
        for inner in layers_inside(layer)
        if isinstance(inner, keras.layers.BatchNormalization)
        for variable in (inner.moving_mean, inner.moving_variance)
    ]


def _largest(changes: Sequence[np.ndarray]) -> float:
    return max((float(np.abs(c).max()) for c in changes if c.size), default=0.0)
