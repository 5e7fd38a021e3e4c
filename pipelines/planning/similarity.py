"""Distances between data and the source of a backbone: evidence, not a decision."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class BlockDivergence:
    """The distance of the inputs of a block's BatchNorm layers from the source.

    `divergence` is the Kullback-Leibler divergence, in nats, of the data from the
    source, with every channel taken as normal: 0 for the same mean and variance, 0.5
    for a mean that is one standard deviation off. It is the average over the `channels`
    of all BatchNorm layers in the block, and `median` the value of the middle channel:
    a few channels that hardly varied in the source can make most of an average.
    """

    block: str
    channels: int
    divergence: float
    median: float


@dataclasses.dataclass(frozen=True)
class SourceAnswers:
    """The answers to the data of the classifier that the backbone came with.

    `confidence` is the mean of the largest probability. `entropy` is the mean entropy
    of an answer, and `spread` the entropy of the mean answer, both as a number of
    classes: 1 for always the same class, `classes` for all of them evenly.
    """

    classes: int
    confidence: float
    entropy: float
    spread: float


def channel_divergences(
    means: np.ndarray, squares: np.ndarray, *, floor: np.ndarray
) -> np.ndarray:
    """The divergence of each channel from the source, in nats, `[channels]`.

    `means` and `squares` are the averages of `z` and of its square, where `z` is the
    input of a BatchNorm layer in units of the source: `(x - mean) / deviation` by the
    layer's own statistics, with its epsilon added to the variance. `floor` is the same
    epsilon in these units, which is added here too: a channel that is constant in the
    data has it as its variance, and not 0. See https://arxiv.org/abs/1603.04779 for
    these statistics as a distance of domains.
    """
    variance = np.maximum(squares - np.square(means), 0.0) + floor
    return 0.5 * (np.square(means) + variance - 1 - np.log(variance))


def block_divergence(block: str, channels: np.ndarray) -> BlockDivergence:
    """The divergence of a block, from the divergences of its channels."""
    return BlockDivergence(
        block=block,
        channels=len(channels),
        divergence=float(channels.mean()),
        median=float(np.median(channels)),
    )


def source_probabilities(
    features: np.ndarray, kernel: np.ndarray, bias: np.ndarray
) -> np.ndarray:
    """The probabilities `[n, classes]` of the source's classifier for features."""
    logits = features.astype(np.float32) @ kernel + bias
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def source_answers(probabilities: np.ndarray) -> SourceAnswers:
    """A summary of answers `[n, classes]`."""
    return SourceAnswers(
        classes=probabilities.shape[1],
        confidence=float(probabilities.max(axis=1).mean()),
        entropy=float(np.exp(_entropies(probabilities).mean())),
        spread=float(np.exp(_entropies(probabilities.mean(axis=0)))),
    )


def _entropies(probabilities: np.ndarray) -> np.ndarray:
    p = probabilities.astype(np.float64)
    return -np.sum(p * np.log(np.maximum(p, np.finfo(np.float64).tiny)), axis=-1)
