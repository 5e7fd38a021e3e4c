"""The index of training examples that an artifact holds, if it is asked for."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Splits
from pipelines.errors import ConfigError
from pipelines.probing.rows import of_every_class
from pipelines.problems.protocol import Problem
from pipelines.serving.training_data.neighbours import NeighbourIndex, most_rows
from pipelines.stages.outputs import Known, OutputRequest, outputs
from pipelines.stages.predictions import example_names
from pipelines.training.transfer_model import TransferModel

_logger = logging.getLogger("zootune")


def require_classes(problem: Problem, field: str) -> None:
    """Refuses a field of `config.export` for examples that have no class each.

    Raises:
        ConfigError: for another kind of problem.
    """
    if not problem.reads_classes:
        raise ConfigError(
            f"config.export.{field} is about examples that have one class each, and the"
            f" problem is {problem.name}. Leave it out."
        )


def index_of_training(
    model: TransferModel,
    splits: Splits,
    *,
    batch_size: int,
    known: Known | None,
) -> NeighbourIndex:
    """The index of the training split, or of the same share of each class of it.

    Features that are `known` are not computed again.
    """
    train = splits.train
    most = most_rows(int(model.pooled.shape[-1]))
    rows = np.arange(len(train))
    if len(train) > most:
        rows = of_every_class(train.labels, count=most, seed=0)
    (of_train,) = outputs(
        model,
        [OutputRequest(train, rows, only_features=True)],
        batch_size=batch_size,
        known=known,
    )
    names = list(example_names(train, DatasetRef.parse(splits.info.reference)))
    _logger.info("  an index of %d training examples", len(rows))
    return _index(of_train.features, of_train.labels, rows, names, splits)


def _index(
    features: np.ndarray,
    labels: np.ndarray,
    rows: np.ndarray,
    names: Sequence[str],
    splits: Splits,
) -> NeighbourIndex:
    known = splits.info.class_names
    return NeighbourIndex.of(
        features, [names[i] for i in rows], [known[label] for label in labels]
    )
