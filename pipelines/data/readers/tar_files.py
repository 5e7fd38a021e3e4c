"""`tar:` - images or texts, and labels, in tar files as WebDataset has them.

Members that follow each other with the same name up to the first dot are a sample, and
what follows the dot says what each is: https://github.com/webdataset/webdataset.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import tensorflow as tf

from pipelines.data.readers import record_files, records
from pipelines.data.readers.records import Keys, Record
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Examples
from pipelines.data.targets.choice import SINGLE_LABEL
from pipelines.display.text import shown
from pipelines.errors import DataError

_SCHEME = "tar"
# Each kind of image is found under this key too, where a file mixes them.
_IMAGE = "image"
_IMAGES = frozenset({"jpg", "jpeg", "png", "bmp", "gif", "webp"})
_TEXT, _JSON, _CLASS = "txt", "json", "cls"
_LABELS = (_CLASS, "label")


def read(ref: DatasetRef, *, problem: str = SINGLE_LABEL) -> Examples:
    """The examples of tar files, in the order of their names and members.

    Every file is read once; images stay in the files. Keys are the endings of members,
    and the keys of the object in a `.json`; `image` or `txt`, and `cls` or `label`,
    unless the reference names others. A `.cls` is a whole number.

    Raises:
        DataError: naming the file and the sample, counted from 0, if it is damaged or
            compressed, lacks a key, or has one of another type.
    """
    paths = record_files.find(ref.location, scheme=_SCHEME)
    return records.read_shards(
        paths,
        _keys(ref, paths[0]),
        problem=problem,
        on_bad=ref.on_bad,
        records=samples,
    )


def samples(path: str) -> Iterator[Record]:
    """Yields the samples of a tar file.

    Raises:
        DataError: naming the member, if the file is damaged or compressed.
    """
    key: str | None = None
    features: dict[str, Any] = {}
    starts: dict[str, int] = {}
    for member, content in _members(path):
        name = PurePosixPath(member.name)
        stem, _, ending = name.name.partition(".")
        own = str(name.parent / stem)
        if own != key and features:
            yield Record(features, starts.__getitem__)
            features, starts = {}, {}
        key = own
        where = f"{shown(member.name)} of {shown(path)}"
        for found, feature in _features(ending.lower(), content, where).items():
            if found in features and found != _IMAGE:
                raise DataError(
                    f"{where} gives {found!r} a second time. Write the tar file again,"
                    " with one member of each ending for a name."
                )
            features[found] = feature
            starts[found] = member.offset_data
    if features:
        yield Record(features, starts.__getitem__)


def _members(path: str) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Every file in a tar file, with its content; folders are passed over."""
    try:
        # Without compression alone: an image is read from its place in the file.
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if member.isdir():
                    continue
                stream = archive.extractfile(member) if member.isreg() else None
                if stream is None or member.issparse():
                    raise DataError(
                        f"{shown(member.name)} of {shown(path)} is a link or another"
                        " special file. Write the tar file with plain ones."
                    )
                content = stream.read()
                if len(content) != member.size:
                    raise tarfile.ReadError(f"{member.name} is cut short")
                yield member, content
    except (tarfile.TarError, EOFError) as error:
        raise DataError(
            f"{shown(path)} cannot be read as a tar file: {error}. Write it again, or"
            " restore a copy; a compressed one, such as .tar.gz, has to be unpacked to"
            " .tar, because single images of it cannot be read."
        ) from None


def _features(ending: str, content: bytes, where: str) -> Mapping[str, Any]:
    """The features of a member by their keys."""
    if ending == _JSON:
        return _of_json(content, where)
    if ending == _CLASS:
        try:
            return {ending: _feature([int(content)], where, ending)}
        except ValueError:
            raise DataError(
                f"{where} has {shown(content[:20].decode(errors='replace'))!r}, and a"
                " .cls is a whole number. Keep names of classes in a .txt, and say"
                " label=txt."
            ) from None
    feature = _feature([content.strip() if ending == _TEXT else content], where, ending)
    return {ending: feature, **({_IMAGE: feature} if ending in _IMAGES else {})}


def _of_json(content: bytes, where: str) -> Mapping[str, Any]:
    try:
        values = json.loads(content)
    except ValueError as error:
        raise DataError(f"{where} is not JSON: {error}. Write it again.") from None
    if not isinstance(values, dict):
        raise DataError(
            f"{where} is not an object. A .json has the values of a sample by keys, as"
            ' in {"label": "daisy"}.'
        )
    return {
        key: feature
        for key, value in values.items()
        if (feature := _feature_of_json(value, where, key)) is not None
    }


def _feature_of_json(value: Any, where: str, key: str) -> tf.train.Feature | None:
    """The feature of a value, or None of one that no label can be, such as null."""
    items = value if isinstance(value, list) else [value]
    if not items:
        return tf.train.Feature()
    kinds = {type(item) for item in items}
    if kinds <= {str}:
        items = [item.encode(errors="replace") for item in items]
    elif not kinds <= {int, float}:
        return None
    return _feature(items, where, key)


def _feature(values: list[Any], where: str, key: str) -> tf.train.Feature:
    try:
        if isinstance(values[0], bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        if all(isinstance(value, int) for value in values):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    except (ValueError, TypeError) as error:
        raise DataError(f"{where} has a {key!r} out of range: {error}.") from None


def _keys(ref: DatasetRef, path: str) -> Keys:
    """The keys that the reference names, or else the usual ones of the first sample."""
    known = next((sample.features for sample in samples(path)), None)
    if known is None:
        raise DataError(f"{shown(path)} has no sample. Write the tar file again.")
    modality = "text" if ref.text or (not ref.image and _IMAGE not in known) else _IMAGE
    example = getattr(ref, modality) or (_IMAGE if modality == _IMAGE else _TEXT)
    label = ref.label or next((key for key in _LABELS if key in known), None)
    for name, key in ((modality, example), ("label", label)):
        if key not in known:
            raise DataError(
                f"The first sample of {shown(path)} has"
                f" {', '.join(map(repr, sorted(known)))}. Say which one is the {name},"
                f" with {name}=KEY in the reference."
            )
    return Keys(
        modality,
        example,
        str(label),
        group=ref.group,
        split=ref.split,
        weight=ref.weight,
    )
