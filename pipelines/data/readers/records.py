"""`tfrecord:` - images or texts, and labels, as tf.Example records in files."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from pipelines.data.blanks import Blanks
from pipelines.data.packed_strings import Packer, Strings
from pipelines.data.readers import record_files, sidecar
from pipelines.data.readers.record_labels import (
    Label,
    as_text,
    labels_of,
    single,
    values_of,
)
from pipelines.data.reference import DatasetRef
from pipelines.data.spelling import normal
from pipelines.data.split_names import split_name
from pipelines.data.splits import Examples, ImageRecords, Texts
from pipelines.data.targets.choice import SINGLE_LABEL
from pipelines.data.weights import checked_weights
from pipelines.display.text import is_blank, shown
from pipelines.errors import DataError


@dataclasses.dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a record by meaning; `modality` is `image` or `text`."""

    modality: str
    example: str
    label: str
    group: str | None = None
    split: str | None = None
    weight: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Record:
    """The features of a record by their keys, and where the bytes of a key begin.

    `start_of` takes a key, and gives the offset in the file of its bytes.
    """

    features: Mapping[str, Any]
    start_of: Callable[[str], int]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Shard:
    """The content of one file; see `ImageRecords` for `start` and `length`."""

    start: np.ndarray
    length: np.ndarray
    labels: Sequence[tuple[Label, ...]]
    texts: Sequence[bytes]
    groups: Strings
    splits: Strings
    weights: Sequence[float]


def read(ref: DatasetRef, *, problem: str = SINGLE_LABEL) -> Examples:
    """The examples of record files, in the order of their names and records.

    Every record is read once and its checksums are verified; images stay in the files.
    Keys are `image` or `text`, and `label`, unless the reference names others. Labels
    are whole numbers or bytes. The names of classes come from the file that `zoo shard`
    leaves beside its records, or are the labels themselves. Where `problem` is `auto`
    or says so, a label may be a list of these, or numbers to predict.

    Raises:
        DataError: naming the file and the record, counted from 0, if it is damaged,
            lacks a key, or has one of another type.
    """
    location, beside = sidecar.locate(ref.location)
    paths = record_files.find(location)
    keys = _keys(ref, paths[0], beside)
    examples = read_shards(
        paths,
        keys,
        problem=problem,
        class_names=None if beside is None else beside.class_names,
        on_bad=ref.on_bad,
    )
    if beside is not None and location != ref.location:  # all files, by their folder
        beside.require_all(examples, ref.location)
    return examples


def tf_examples(path: str) -> Iterator[Record]:
    """Yields the records of a file of tf.Example."""
    for number, (offset, data) in enumerate(record_files.records(path)):
        features = _features(data, f"Record {number} of {shown(path)}")
        yield Record(features, _starts(features, offset, data))


def _starts(
    features: Mapping[str, Any], offset: int, data: bytes
) -> Callable[[str], int]:
    # Training reads an image without its record. Equal bytes at another place would be
    # the same image.
    return lambda key: offset + data.index(features[key].bytes_list.value[0])


def read_shards(
    paths: Sequence[str],
    keys: Keys,
    *,
    problem: str = SINGLE_LABEL,
    class_names: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
    on_bad: str = "fail",
    records: Callable[[str], Iterator[Record]] = tf_examples,
) -> Examples:
    """The examples of files, whose labels index `class_names` where those are known.

    `splits` are the splits of the files, and `records` yields the records of one.
    Raises as `read` does.
    """
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        shards = list(
            threads.map(
                lambda path: _read_shard(path, records(path), keys, problem), paths
            )
        )
    counts = [len(shard.labels) for shard in shards]
    if not sum(counts):
        raise DataError(
            f"{shown(paths[0])} has no record; {len(paths)} files are empty."
        )
    classes = labels_of(
        [row for shard in shards for row in shard.labels],
        class_names,
        key=keys.label,
        problem=problem,
        place=lambda i: _place(paths, shards, i),
        where=f"The class names of {shown(paths[0])}",
    )
    of_examples = None
    if splits is not None:
        of_examples = Strings.of(splits).take(np.repeat(np.arange(len(paths)), counts))
    elif keys.split:
        of_examples = _joined(shard.splits for shard in shards)
    names = Strings.of(_names(paths, counts))
    examples = Examples(
        inputs=_inputs(paths, shards, keys.modality),
        names=names,
        labels=classes.labels,
        class_names=classes.names,
        problem=classes.problem,
        groups=_joined(shard.groups for shard in shards) if keys.group else None,
        splits=of_examples,
        notes=classes.notes,
        weights=_weights(shards, names, keys),
    )
    if not isinstance(examples.inputs, Texts):
        return examples
    blanks = Blanks(on_bad, paths[0] if len(paths) == 1 else f"{paths[0]} and others")
    for i, text in enumerate(examples.inputs.values):
        if is_blank(text.decode()):
            blanks.add(i, examples.names[i])
    return blanks.taken_out(examples)


def _weights(shards: Sequence[_Shard], names: Strings, keys: Keys) -> np.ndarray | None:
    if keys.weight is None:
        return None
    values = (weight for shard in shards for weight in shard.weights)
    return checked_weights(values, names, where=f"The key {keys.weight!r} of records")


def _keys(ref: DatasetRef, path: str, beside: sidecar.Sidecar | None) -> Keys:
    """The keys that the reference names, or else the usual ones of the first record."""
    known: Mapping[str, Any] = {}
    for _, data in record_files.records(path):
        known = _features(data, f"Record 0 of {shown(path)}")
        break
    modality = next((m for m in ("image", "text") if getattr(ref, m)), None)
    if modality is None:
        present = [m for m in ("image", "text") if m in known]
        if len(present) != 1:
            raise DataError(
                f"The records of {shown(path)} have the keys {_listed(known)}. Say"
                " which one holds the examples, with image=KEY for encoded images or"
                " text=KEY."
            )
        modality = present[0]
    return Keys(
        modality,
        getattr(ref, modality) or modality,
        ref.label or "label",
        group=ref.group,
        split=ref.split or ("split" if beside else None),
        weight=ref.weight or ("weight" if beside and beside.weighted else None),
    )


def _read_shard(
    path: str, records: Iterator[Record], keys: Keys, problem: str
) -> _Shard:
    start, length, labels, texts, weights = [], [], [], [], []
    groups, splits = Packer(), Packer()
    for number, record in enumerate(records):
        where, features = f"Record {number} of {shown(path)}", record.features
        example = single(features, keys.example, ("bytes_list",), where)
        labels.append(values_of(features, keys.label, where, problem=problem))
        if keys.modality == "text":
            as_text(example, keys.example, where)
            texts.append(example)
        else:
            start.append(record.start_of(keys.example))
            length.append(len(example))
        if keys.weight is not None:
            kinds = ("float_list", "int64_list")
            weights.append(single(features, keys.weight, kinds, where))
        for key, packer in ((keys.group, groups), (keys.split, splits)):
            if key is not None:
                value = single(features, key, ("int64_list", "bytes_list"), where)
                packer.add(_require_name(as_text(value, key, where), key, where))
    return _Shard(
        np.array(start, np.int64),
        np.array(length, np.int64),
        labels,
        texts,
        groups.packed(),
        Strings.of(split_name(text, where=shown(path)) for text in splits.packed()),
        weights,
    )


def _features(data: bytes, where: str) -> Mapping[str, Any]:
    try:
        return tf.train.Example.FromString(data).features.feature
    except DecodeError:
        raise DataError(
            f"{where} is not a tf.Example. Records of another kind cannot be read."
        ) from None


def _require_name(value: str, key: str, where: str) -> str:
    """The one spelling of the name of a group or split."""
    if is_blank(value):
        raise DataError(f"{where} has a blank under {key!r}. Fill it in.")
    return normal(value)


def _place(paths: Sequence[str], shards: Sequence[_Shard], i: int) -> str:
    """The record of example `i` of all files, for a message."""
    ends = np.cumsum([len(shard.labels) for shard in shards])
    file = int(np.searchsorted(ends, i, side="right"))
    number = i - int(ends[file]) + len(shards[file].labels)
    return f"Record {number} of {shown(paths[file])}"


def _inputs(
    paths: Sequence[str], shards: Sequence[_Shard], modality: str
) -> ImageRecords | Texts:
    if modality == "text":
        texts = np.empty(sum(len(shard.texts) for shard in shards), object)
        texts[:] = [text for shard in shards for text in shard.texts]
        return Texts(texts)
    counts = [len(shard.start) for shard in shards]
    return ImageRecords(
        shards=tuple(paths),
        shard=np.repeat(np.arange(len(paths)), counts),
        record=np.concatenate([np.arange(count) for count in counts]),
        start=np.concatenate([shard.start for shard in shards]),
        length=np.concatenate([shard.length for shard in shards]),
    )


def _names(paths: Sequence[str], counts: Sequence[int]) -> Iterable[str]:
    folder = os.path.commonpath([Path(path).parent for path in paths])
    for path, count in zip(paths, counts):
        name = shown(os.path.relpath(path, folder))
        yield from (f"{name}, record {number}" for number in range(count))


def _joined(columns: Iterable[Strings]) -> Strings:
    return Strings.of(value for column in columns for value in column)


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(keys)))
