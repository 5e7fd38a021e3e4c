"""The values that training reads, and the rule that makes three splits of examples."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from pipelines.data.names import listing
from pipelines.data.reference import DatasetRef
from pipelines.data.units import count_units, deal, find_units
from pipelines.errors import DataError

SPLIT_NAMES = ("train", "validation", "test")
PLURALS = {"image": "images", "text": "texts", "series": "series"}


@dataclasses.dataclass(frozen=True)
class ImageFiles:
    """Images that stay on disk, one absolute path each."""

    modality: ClassVar[str] = "image"
    paths: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, indices: Sequence[int] | np.ndarray) -> ImageFiles:
        return ImageFiles(tuple(self.paths[i] for i in indices))


@dataclasses.dataclass(frozen=True, eq=False)
class ImageArray:
    """Images in memory, `pixels` uint8 `[n, h, w, 3]`."""

    modality: ClassVar[str] = "image"
    pixels: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, indices: Sequence[int] | np.ndarray) -> ImageArray:
        return ImageArray(self.pixels[np.asarray(indices, np.int64)])


@dataclasses.dataclass(frozen=True, eq=False)
class Texts:
    """Texts in memory, UTF-8 `bytes` in an array of objects `[n]`."""

    modality: ClassVar[str] = "text"
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indices: Sequence[int] | np.ndarray) -> Texts:
        return Texts(self.values[np.asarray(indices, np.int64)])


@dataclasses.dataclass(frozen=True, eq=False)
class Series:
    """Series of one length in memory, `values` float32 `[n, steps, channels]`."""

    modality: ClassVar[str] = "series"
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indices: Sequence[int] | np.ndarray) -> Series:
        return Series(self.values[np.asarray(indices, np.int64)])


Inputs = ImageFiles | ImageArray | Texts | Series


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """All that a reference holds, before it is split.

    `names` say which example is meant in a message; `labels` is int64 `[n]`, indices
    into `class_names`. `groups` keep examples together; `given` is the split that
    the user put each example in.
    """

    inputs: Inputs
    names: tuple[str, ...]
    labels: np.ndarray
    class_names: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    given: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> Examples:
        def pick(column: tuple[str, ...] | None) -> tuple[str, ...] | None:
            return None if column is None else tuple(column[i] for i in indices)

        return dataclasses.replace(
            self,
            inputs=self.inputs.take(indices),
            names=tuple(self.names[i] for i in indices),
            labels=self.labels[indices],
            groups=pick(self.groups),
            given=pick(self.given),
        )


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One part of the data; `labels` is int64 `[n]`, indices into the class names."""

    name: str
    inputs: Inputs
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclasses.dataclass(frozen=True, slots=True)
class DataInfo:
    """What is known of the data apart from the examples themselves.

    `counts` is examples per split and class name. `fingerprint` is the
    sha256 of the sorted pairs of content hash and class name: it follows the content,
    not the place; `fingerprints` are those of the splits.

    `copies` is how many examples have the content of an earlier one; they are in the
    split of that. `skipped` are the names of examples that were left out, with reasons.
    """

    class_names: tuple[str, ...]
    counts: dict[str, dict[str, int]]
    fingerprint: str
    reference: str
    fingerprints: dict[str, str] = dataclasses.field(default_factory=dict)
    copies: int = 0
    skipped: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Splits:
    """The three splits and what is known of them."""

    train: Split
    validation: Split
    test: Split
    info: DataInfo


def first(split: Split, count: int) -> Split:
    """At most the first `count` examples of a split."""
    rows = np.arange(min(count, len(split)))
    return dataclasses.replace(
        split, inputs=split.inputs.take(rows), labels=split.labels[rows]
    )


def keep_some(examples: Examples, *, limit: int | None, seed: int) -> Examples:
    """At most `limit` of the examples, drawn by seed, every class in proportion."""
    if limit is None or limit >= len(examples):
        return examples
    strata = examples.labels * len(SPLIT_NAMES)
    if examples.given is not None:
        strata = strata + [SPLIT_NAMES.index(name) for name in examples.given]
    shuffled = np.random.default_rng(seed).permutation(len(examples))
    # The r-th of the n examples of a stratum gets (r + 1/2) / n: cutting the order
    # anywhere leaves every stratum cut at the same fraction.
    position = np.empty(len(examples))
    for stratum in np.unique(strata):
        members = shuffled[strata[shuffled] == stratum]
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
    order = shuffled[np.argsort(position[shuffled], kind="stable")]
    return examples.take(np.sort(order[:limit]))


def split_examples(
    examples: Examples, content_hashes: Sequence[str], ref: DatasetRef
) -> Splits:
    """Train, validation and test: stratified, seeded, no content or group in two.

    Splits that the user gave are used as they are, and only a missing validation or
    test is carved, from train. Examples keep their order within a split.

    Raises:
        DataError: if a class does not reach train or a carved split, or if the same
            content lies in two given splits.
    """
    if examples.given is not None:
        _refuse_shared_content(examples, content_hashes, examples.given)
    split_of = _assign(examples, content_hashes, ref)
    parts, fingerprints = {}, {}
    for i, name in enumerate(SPLIT_NAMES):
        members = np.flatnonzero(split_of == i)
        hashes = [content_hashes[j] for j in members.tolist()]
        fingerprints[name] = fingerprint(examples.take(members), hashes)
        parts[name] = Split(
            name, examples.inputs.take(members), examples.labels[members]
        )
    info = DataInfo(
        class_names=examples.class_names,
        counts={name: _count(part, examples) for name, part in parts.items()},
        fingerprint=fingerprint(examples, content_hashes),
        reference=str(ref),
        fingerprints=fingerprints,
        copies=len(examples) - len(set(content_hashes)),
    )
    return Splits(**parts, info=info)


def require_independent(
    examples: Examples, units: np.ndarray, *, limit: int | None
) -> None:
    """Checks that every class has a unit for train and for each split to be carved.

    Raises:
        DataError: naming the classes, what they have and what to do.
    """
    members, carved = _carving(examples)
    need = 1 + len(carved)
    have = count_units(
        examples.labels[members], units[members], len(examples.class_names)
    )
    short = [(name, int(n)) for name, n in zip(examples.class_names, have) if n < need]
    if not short:
        return
    what = listing(
        (f"class {name!r} has {_independent(n, examples)}" for name, n in short),
        shown=10,
    )
    plural = PLURALS[examples.inputs.modality]
    where = "train" if examples.given is not None else "the data"
    wanted = "".join(f", {name}" for name in carved)
    raise DataError(
        f"Too few {plural} in {where}: {what}. Each class needs at least {need}, one "
        f"for each of train{wanted}; {plural} with the same content or the same group "
        f"count as one. Add {plural} to these classes"
        + (f", raise limit={limit}" if limit is not None else "")
        + " or leave these classes out."
    )


def fingerprint(examples: Examples, content_hashes: Sequence[str]) -> str:
    """The sha256 of what the examples are, wherever and in which order they lie."""
    pairs = sorted(
        (content, examples.class_names[label])
        for content, label in zip(content_hashes, examples.labels, strict=True)
    )
    digest = hashlib.sha256()
    for content, class_name in pairs:
        digest.update(f"{content} {class_name}\n".encode())
    return digest.hexdigest()


def _assign(
    examples: Examples, content_hashes: Sequence[str], ref: DatasetRef
) -> np.ndarray:
    """The index into `SPLIT_NAMES` of every example, `[n]`."""
    keys = [content_hashes, *([examples.groups] if examples.groups else [])]
    units = find_units(*keys)
    require_independent(examples, units, limit=ref.limit)
    members, carved = _carving(examples)
    dealt = deal(
        examples.labels[members],
        np.unique(units[members], return_inverse=True)[1],
        held_out=[getattr(ref, name) for name in carved],
        seed=ref.seed,
    )
    given = examples.given or ("train",) * len(examples)
    split_of = np.array([SPLIT_NAMES.index(name) for name in given])
    indices = np.array([SPLIT_NAMES.index(name) for name in ("train", *carved)])
    split_of[members] = indices[dealt]
    _require_every_class(examples, split_of, carved)
    return split_of


def _carving(examples: Examples) -> tuple[np.ndarray, list[str]]:
    """The examples to carve from, as indices, and the names of the splits to carve."""
    if examples.given is None:
        return np.arange(len(examples)), list(SPLIT_NAMES[1:])
    given = np.array(examples.given)
    carved = [name for name in SPLIT_NAMES[1:] if name not in examples.given]
    return np.flatnonzero(given == "train"), carved


def _require_every_class(
    examples: Examples, split_of: np.ndarray, carved: Sequence[str]
) -> None:
    """Groups that hold several classes can make a split impossible: say so."""
    plural = PLURALS[examples.inputs.modality]
    for name in ("train", *carved):
        found = examples.labels[split_of == SPLIT_NAMES.index(name)]
        missing = np.setdiff1d(np.arange(len(examples.class_names)), found)
        if len(missing):
            raise DataError(
                f"Class {examples.class_names[missing[0]]!r} does not reach {name}: "
                f"groups or equal content tie its {plural} to those of other classes. "
                "Use a finer group, another seed, or give the splits yourself."
            )


def _refuse_shared_content(
    examples: Examples, content_hashes: Sequence[str], given: Sequence[str]
) -> None:
    first: dict[str, dict[str, str]] = {}
    for content, split, name in zip(content_hashes, given, examples.names):
        first.setdefault(content, {}).setdefault(split, name)
    shared = [
        " = ".join(f"{split} {name!r}" for split, name in places.items())
        for places in first.values()
        if len(places) > 1
    ]
    if shared:
        raise DataError(
            f"The same content lies in two given splits, {len(shared)} times: "
            f"{listing(shared, shown=3)}. Keep each in one split only."
        )


def _count(part: Split, examples: Examples) -> dict[str, int]:
    counts = np.bincount(part.labels, minlength=len(examples.class_names))
    return {name: int(n) for name, n in zip(examples.class_names, counts)}


def _independent(count: int, examples: Examples) -> str:
    modality = examples.inputs.modality
    return f"{count} independent {modality if count == 1 else PLURALS[modality]}"
