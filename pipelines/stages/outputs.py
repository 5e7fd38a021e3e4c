"""The outputs of a trained model for a split: logits and features, in one pass.

Where the blocks are still as they were measured, what was read then is not read again.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from pipelines.data.checks.changed_files import broken_files_named
from pipelines.data.input.batches import batches, batches_of_all
from pipelines.data.splits import Split
from pipelines.features.extract import Reader
from pipelines.problems.protocol import Outputs
from pipelines.runtime.clock import Ticker
from pipelines.training.transfer_model import TransferModel
from zoo.builder import Backbone

# The name of a block whose output is averaged, and the cells a side of the grid.
Key = tuple[str, int]
_ROWS_OF_HEAD = 256


@dataclasses.dataclass(frozen=True, eq=False)
class Known:
    """Features that were read before training, and the graph that read them.

    `reader` gives a vector for each of `keys`. `rows` has those of splits, by the name
    of the split, each an array `[examples, width]` of all its examples in order;
    `fingerprint` is of the weights that they were read with.
    """

    backbone: Backbone
    reader: Reader
    keys: tuple[Key, ...]
    rows: Mapping[str, Mapping[Key, np.ndarray]]
    fingerprint: str

    def still_holds(self) -> bool:
        """True if the backbone still has the weights that it was read with."""
        return self.fingerprint == fingerprint(self.backbone)


def fingerprint(backbone: Backbone) -> str:
    """A digest of the weights, without the states of random generators."""
    digest = hashlib.sha256()
    for weight in backbone.model.weights:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).data)
    return digest.hexdigest()


@dataclasses.dataclass(frozen=True, eq=False)
class OutputRequest:
    """A request for the outputs of a split, or of some `rows` of it.

    With `only_features` no logits are kept: for thousands of classes they are the
    larger part by far.
    """

    split: Split
    rows: np.ndarray | None = None
    only_features: bool = False

    @property
    def examples(self) -> Split:
        """The requested rows as a split."""
        return self.split if self.rows is None else self.split.take(self.rows)


def answering(model: TransferModel) -> keras.Model:
    """The model with two outputs: logits, and the feature vector below the head."""
    return keras.Model(
        model.model.input, [model.model.output, model.pooled], name="answering"
    )


def outputs(
    model: TransferModel,
    splits: Sequence[Split | OutputRequest],
    *,
    batch_size: int,
    known: Known | None = None,
) -> list[Outputs]:
    """The outputs of the model for every example, in inference mode and in order.

    What is `known` of its backbone is not read again.

    Raises:
        DataError: naming files that have changed since they were checked.
    """
    requests = [
        OutputRequest(request) if isinstance(request, Split) else request
        for request in splits
    ]
    if known is not None and _serves(known, model):
        return _from_known(model, requests, known, batch_size=batch_size)
    examples = [request.examples for request in requests]
    size = model.backbone.input_size_px
    read = batches_of_all(examples, input_size_px=size, batch_size=batch_size)
    tick = Ticker("outputs", sum(map(len, examples)))
    keeps = np.repeat(
        [not request.only_features for request in requests], _lengths(examples)
    )
    logits, features, done = [], [], 0
    with broken_files_named(*examples):
        for some_logits, some_features in Reader(answering(model)).stream(read):
            end = done + len(some_features)
            logits.append(some_logits[keeps[done:end]])
            features.append(some_features)
            done = end
            tick(done)
    ends = np.cumsum(_lengths(examples))[:-1]
    kept_ends = np.cumsum([part.sum() for part in np.split(keeps, ends)])[:-1]
    return [
        Outputs(
            part.name,
            part.labels,
            of_logits,
            of_features,
            part.relative_weights,
            part.inputs.modality,
        )
        for part, of_logits, of_features in zip(
            examples,
            np.split(_whole(logits), kept_ends),
            np.split(_whole(features), ends),
        )
    ]


def _lengths(splits: Sequence[Split]) -> list[int]:
    return [len(split) for split in splits]


def _whole(parts: list[np.ndarray]) -> np.ndarray:
    """All parts as one array, each freed when it is in there: not everything twice."""
    whole = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), parts[0].dtype)
    end = len(whole)
    while parts:
        part = parts.pop()
        whole[end - len(part) : end] = part
        end -= len(part)
    return whole


def _serves(known: Known, model: TransferModel) -> bool:
    """True if the graph gives all the vectors that the head reads."""
    return (
        known.backbone is model.backbone
        and model.head_input is model.pooled
        and model.standardized
        and set(model.head_keys) <= set(known.keys)
    )


def _from_known(
    model: TransferModel,
    requests: Sequence[OutputRequest],
    known: Known,
    *,
    batch_size: int,
) -> list[Outputs]:
    """By the graph that measured, and by the head on what that gives."""
    rows = known.rows if known.still_holds() else {}
    only = [known.keys.index(key) for key in model.head_keys]
    head = model.head
    answers = []
    for request in requests:
        kept, examples = rows.get(request.split.name), request.examples
        if kept is not None and len(next(iter(kept.values()))) == len(request.split):
            which = slice(None) if request.rows is None else request.rows
            parts = [kept[key][which].astype(np.float32) for key in model.head_keys]
        else:
            read = batches(
                examples,
                input_size_px=model.backbone.input_size_px,
                batch_size=batch_size,
            )
            tick = Ticker(f"outputs of {examples.name}", len(examples))
            with broken_files_named(examples):
                parts = list(known.reader.extract(read, only=only, on_progress=tick))
        features = np.concatenate(parts, axis=1)
        logits = logits_of_head(
            head, features[:0] if request.only_features else features
        )
        weights = examples.relative_weights
        answers.append(
            Outputs(
                examples.name,
                examples.labels,
                logits,
                features,
                weights,
                examples.inputs.modality,
            )
        )
    return answers


def logits_of_head(head: keras.Model, features: np.ndarray) -> np.ndarray:
    """Logits `[n, classes]`, float32, computed some rows at a time."""
    logits = np.empty((len(features), head.output.shape[-1]), np.float32)
    for start in range(0, len(features), _ROWS_OF_HEAD):
        some = slice(start, start + _ROWS_OF_HEAD)
        logits[some] = head(features[some], training=False)
    return logits
