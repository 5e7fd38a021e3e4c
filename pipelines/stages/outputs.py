"""What a trained model gives for a split: logits and feature vectors, in one pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from pipelines.data.batches import batches_of_all
from pipelines.data.broken import broken_files_named
from pipelines.data.splits import Split
from pipelines.planning.features import extract
from pipelines.stages.head import TransferModel


@dataclasses.dataclass(frozen=True, eq=False)
class Outputs:
    """Float32 logits `[n, classes]` and features `[n, width]`, and the labels `[n]`."""

    split: str
    labels: np.ndarray
    logits: np.ndarray
    features: np.ndarray


def answering(model: TransferModel) -> keras.Model:
    """The model with two outputs: logits, and the feature vector below the head."""
    return keras.Model(
        model.model.input, [model.model.output, model.pooled], name="answering"
    )


def outputs(
    model: TransferModel, splits: Sequence[Split], *, batch_size: int
) -> list[Outputs]:
    """What the model gives for every example, in inference mode and in order.

    Raises:
        DataError: naming files that have changed since they were checked.
    """
    size = model.backbone.input_size_px
    read = batches_of_all(splits, input_size_px=size, batch_size=batch_size)
    with broken_files_named(*splits):
        logits, features = extract(answering(model), read)
    ends = np.cumsum([len(split) for split in splits])[:-1]
    return [
        Outputs(split.name, split.labels, *arrays)
        for split, *arrays in zip(
            splits, np.split(logits, ends), np.split(features, ends)
        )
    ]
