"""What a trained model gives for a split: logits and feature vectors, in one pass.

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
from pipelines.runtime.clock import Ticker
from pipelines.training.transfer_model import TransferModel
from zoo.builder import Backbone

# A vector is of the output of a block by name, averaged over a grid with so many cells
# a side.
Key = tuple[str, int]
_ROWS_OF_HEAD = 256


@dataclasses.dataclass(frozen=True, eq=False)
class Outputs:
    """Float32 logits `[n, classes]` and features `[n, width]`, and the labels `[n]`.

    Where only features were wanted, there are no logits: `[0, classes]`.
    """

    split: str
    labels: np.ndarray
    logits: np.ndarray
    features: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Known:
    """What was read of a backbone before it trained, and the graph that read it.

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
        """Whether the backbone has the weights that it was read with."""
        return self.fingerprint == fingerprint(self.backbone)


def fingerprint(backbone: Backbone) -> str:
    """A digest of the weights, without the states of random generators."""
    digest = hashlib.sha256()
    for weight in backbone.model.weights:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).data)
    return digest.hexdigest()


@dataclasses.dataclass(frozen=True, eq=False)
class Wanted:
    """Examples that outputs are wanted of: all of a split, or some `rows` of it.

    Where only their features are, no logits are kept: of thousands of classes those are
    the larger part by far.
    """

    split: Split
    rows: np.ndarray | None = None
    only_features: bool = False

    @property
    def examples(self) -> Split:
        return self.split if self.rows is None else self.split.take(self.rows)


def answering(model: TransferModel) -> keras.Model:
    """The model with two outputs: logits, and the feature vector below the head."""
    return keras.Model(
        model.model.input, [model.model.output, model.pooled], name="answering"
    )


def outputs(
    model: TransferModel,
    splits: Sequence[Split | Wanted],
    *,
    batch_size: int,
    known: Known | None = None,
) -> list[Outputs]:
    """What the model gives for every example, in inference mode and in order.

    What is `known` of its backbone is not read again.

    Raises:
        DataError: naming files that have changed since they were checked.
    """
    wanted = [Wanted(one) if isinstance(one, Split) else one for one in splits]
    if known is not None and _serves(known, model):
        return _from_known(model, wanted, known, batch_size=batch_size)
    examples = [one.examples for one in wanted]
    size = model.backbone.input_size_px
    read = batches_of_all(examples, input_size_px=size, batch_size=batch_size)
    tick = Ticker("outputs", sum(map(len, examples)))
    keeps = np.repeat([not one.only_features for one in wanted], _lengths(examples))
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
        Outputs(split.name, split.labels, *arrays)
        for split, *arrays in zip(
            examples,
            np.split(_whole(logits), kept_ends),
            np.split(_whole(features), ends),
        )
    ]


def _lengths(splits: Sequence[Split]) -> list[int]:
    return [len(split) for split in splits]


def _whole(parts: list[np.ndarray]) -> np.ndarray:
    """All parts as one array, each freed when it is in there: not everything twice."""
    found = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), parts[0].dtype)
    end = len(found)
    while parts:
        part = parts.pop()
        found[end - len(part) : end] = part
        end -= len(part)
    return found


def _serves(known: Known, model: TransferModel) -> bool:
    """Whether what the head reads is among the vectors that the graph gives."""
    return (
        known.backbone is model.backbone
        and model.head_input is model.pooled
        and model.standardized
        and set(model.head_keys) <= set(known.keys)
    )


def _from_known(
    model: TransferModel, wanted: Sequence[Wanted], known: Known, *, batch_size: int
) -> list[Outputs]:
    """By the graph that measured, and by the head on what that gives."""
    rows = known.rows if known.still_holds() else {}
    only = [known.keys.index(key) for key in model.head_keys]
    head = keras.Model(model.head_input, model.model.output)
    found = []
    for one in wanted:
        kept, examples = rows.get(one.split.name), one.examples
        if kept is not None and len(next(iter(kept.values()))) == len(one.split):
            which = slice(None) if one.rows is None else one.rows
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
        logits = _of_head(head, features[:0] if one.only_features else features)
        found.append(Outputs(examples.name, examples.labels, logits, features))
    return found


def _of_head(head: keras.Model, features: np.ndarray) -> np.ndarray:
    """Logits `[n, classes]`, float32, computed some rows at a time."""
    logits = np.empty((len(features), head.output.shape[-1]), np.float32)
    for start in range(0, len(features), _ROWS_OF_HEAD):
        some = slice(start, start + _ROWS_OF_HEAD)
        logits[some] = head(features[some], training=False)
    return logits
