"""The values that a reference is read into, and that training reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from pipelines.data.images.file_types import KINDS
from pipelines.data.packed_strings import Strings
from pipelines.data.reference import MAXIMUM_MEGAPIXELS
from pipelines.data.split_names import SPLIT_NAMES
from pipelines.display.text import shown
from zoo.spec import Column


@dataclasses.dataclass(frozen=True)
class ImageFiles:
    """Images that stay on disk, one absolute path each; any sequence is packed.

    An image of more than `maximum_megapixels` is refused, in training and serving, and
    so is one of another kind than those in `kinds`, which the check of the files found.
    """

    modality: ClassVar[str] = "image"
    paths: Sequence[str]
    maximum_megapixels: float = MAXIMUM_MEGAPIXELS
    kinds: frozenset[str] = frozenset(KINDS)

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", Strings.of(self.paths))

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, indices: Sequence[int] | np.ndarray) -> ImageFiles:
        """Some of the images."""
        taken = Strings.of(self.paths).take(indices)
        return dataclasses.replace(self, paths=taken)

    def where(self, i: int) -> str:
        """The path of image `i`, for a message."""
        return shown(self.paths[i])


@dataclasses.dataclass(frozen=True, eq=False)
class ImageRecords:
    """Encoded images that stay on disk as parts of larger files.

    Image `i` is `length[i]` bytes from `start[i]` of `shards[shard[i]]`, and lies in
    record `record[i]` there, counted from 0; all int64 `[n]`. For the rest see
    `ImageFiles`.
    """

    modality: ClassVar[str] = "image"
    shards: tuple[str, ...]
    shard: np.ndarray
    record: np.ndarray
    start: np.ndarray
    length: np.ndarray
    maximum_megapixels: float = MAXIMUM_MEGAPIXELS
    kinds: frozenset[str] = frozenset(KINDS)

    def __len__(self) -> int:
        return len(self.shard)

    def take(self, indices: Sequence[int] | np.ndarray) -> ImageRecords:
        """Some of the images."""
        rows = np.asarray(indices, np.int64)
        return dataclasses.replace(
            self,
            shard=self.shard[rows],
            record=self.record[rows],
            start=self.start[rows],
            length=self.length[rows],
        )

    def where(self, i: int) -> str:
        """The file and record of image `i`, for a message."""
        return f"{shown(self.shards[self.shard[i]])}, record {self.record[i]}"


@dataclasses.dataclass(frozen=True, eq=False)
class ImageArray:
    """Images in memory, uint8 `[n, h, w, 3]`: all of `held`, or its `rows` int64 `[n]`.

    Some of the images are a view: splits copy nothing of a large array.
    """

    modality: ClassVar[str] = "image"
    held: np.ndarray
    rows: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.held if self.rows is None else self.rows)

    def __getitem__(self, i: int) -> np.ndarray:
        return self.held[i if self.rows is None else self.rows[i]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    @property
    def pixels(self) -> np.ndarray:
        """All of the images, uint8 `[n, h, w, 3]`: a copy, if these are some rows."""
        return self.held if self.rows is None else self.held[self.rows]

    def take(self, indices: Sequence[int] | np.ndarray) -> ImageArray:
        """Some of the images."""
        rows = np.asarray(indices, np.int64)
        return ImageArray(self.held, rows if self.rows is None else self.rows[rows])


@dataclasses.dataclass(frozen=True, eq=False)
class Texts:
    """Texts in memory, UTF-8 `bytes` in an array of objects `[n]`."""

    modality: ClassVar[str] = "text"
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indices: Sequence[int] | np.ndarray) -> Texts:
        """Some of the texts."""
        return Texts(self.values[np.asarray(indices, np.int64)])


@dataclasses.dataclass(frozen=True, eq=False)
class Series:
    """Series of one length in memory, `values` float32 `[n, steps, channels]`."""

    modality: ClassVar[str] = "series"
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indices: Sequence[int] | np.ndarray) -> Series:
        """Some of the series."""
        return Series(self.values[np.asarray(indices, np.int64)])


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Rows of a table in memory, `values` float32 `[n, columns]`, as `Column` says."""

    modality: ClassVar[str] = "table"
    columns: tuple[Column, ...]
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indices: Sequence[int] | np.ndarray) -> Table:
        """Some of the rows."""
        return Table(self.columns, self.values[np.asarray(indices, np.int64)])


@dataclasses.dataclass(frozen=True, eq=False)
class Sounds:
    """Sounds in memory: the bytes of files in an array of objects `[n]`.

    `paths` name the files, and `inspections` `[n]` have a `SoundInspection` of each.
    Networks read them at `rate_hz` and at most `length_ms` of them, which were chosen
    for all sounds of a reference together.
    """

    modality: ClassVar[str] = "sound"
    values: np.ndarray
    paths: Strings
    inspections: np.ndarray
    rate_hz: int
    length_ms: int

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indices: Sequence[int] | np.ndarray) -> Sounds:
        """Some of the sounds, to be read as all of them are."""
        rows = np.asarray(indices, np.int64)
        return dataclasses.replace(
            self,
            values=self.values[rows],
            paths=self.paths.take(rows),
            inspections=self.inspections[rows],
        )

    def where(self, i: int) -> str:
        """The path of sound `i`, for a message."""
        return shown(self.paths[i])


EncodedImages = ImageFiles | ImageRecords
Inputs = EncodedImages | ImageArray | Texts | Series | Sounds | Table


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """The examples of a reference, before they are split.

    `names` name examples in messages; `labels` has a row for each, of the kind of
    `problem`: int64 `[n]`, indices into `class_names`, for single_label and ordinal;
    float32 `[n, k]` with a column for each of `class_names` for the others. `groups`
    keep examples together; `splits` names the split of each example, where the data
    come split. Sequences of strings are packed. `weights` float32 `[n]` say how much
    each example counts, if not all count the same.

    `skipped` are the names of examples that were left out, with reasons; `notes` are
    sentences on how the data were read, for the log and the data card.
    """

    inputs: Inputs
    names: Sequence[str]
    labels: np.ndarray
    class_names: tuple[str, ...]
    groups: Sequence[str] | None = None
    splits: Sequence[str] | None = None
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = "single_label"
    weights: np.ndarray | None = None

    def __post_init__(self) -> None:
        for column in ("names", "groups", "splits"):
            values = getattr(self, column)
            if values is not None:
                object.__setattr__(self, column, Strings.of(values))

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> Examples:
        """Some of the examples."""

        def pick(column: Sequence[str] | None) -> Strings | None:
            return None if column is None else Strings.of(column).take(indices)

        return dataclasses.replace(
            self,
            inputs=self.inputs.take(indices),
            names=Strings.of(self.names).take(indices),
            labels=self.labels[indices],
            groups=pick(self.groups),
            splits=pick(self.splits),
            weights=None if self.weights is None else self.weights[indices],
        )

    def split_codes(self) -> np.ndarray | None:
        """The splits of the examples as indices into `SPLIT_NAMES`, int64 `[n]`."""
        if self.splits is None:
            return None
        codes = (SPLIT_NAMES.index(name) for name in self.splits)
        return np.fromiter(codes, np.int64, len(self))


@dataclasses.dataclass(frozen=True, eq=False)
class Lessons:
    """The answers of a teacher for the examples of a split, to be learned.

    `rows` float32 `[n, 2 * classes]` have the label of each example, one-hot or zeros
    where it has none, and then the teacher's probabilities at the `temperature`. Their
    share in the loss is `weight`.
    """

    rows: np.ndarray
    temperature: float
    weight: float

    def take(self, rows: np.ndarray) -> Lessons:
        """Those of some of the examples."""
        return dataclasses.replace(self, rows=self.rows[rows])


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One part of the data; `labels` is as in `Examples`, of the kind in `DataInfo`.

    Examples with the same group id, in `groups` int64 `[n]`, share content or a group:
    one must never be used to evaluate another. `digest` is the sha256 of the examples
    in their order, and `names` name them, as the reader of the data did. Each is None
    where it is not known. `weights` float32 `[n]` say how much each example counts;
    None if all count the same. With `lessons` training learns these and not the labels.
    """

    name: str
    inputs: Inputs
    labels: np.ndarray
    groups: np.ndarray | None = None
    digest: str | None = None
    names: Strings | None = None
    weights: np.ndarray | None = None
    lessons: Lessons | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def learned(self) -> np.ndarray:
        """What training learns of each example: its label, or its lesson."""
        return self.labels if self.lessons is None else self.lessons.rows

    @property
    def relative_weights(self) -> np.ndarray | None:
        """The weights float32 `[n]` with a mean of 1, so that steps keep their size."""
        return relative(self.weights)

    def take(self, indices: Sequence[int] | np.ndarray) -> Split:
        """Some of the examples, without a `digest`."""
        rows = np.asarray(indices, np.int64)
        return dataclasses.replace(
            self,
            inputs=self.inputs.take(rows),
            labels=self.labels[rows],
            groups=None if self.groups is None else self.groups[rows],
            digest=None,
            names=None if self.names is None else self.names.take(rows),
            weights=None if self.weights is None else self.weights[rows],
            lessons=None if self.lessons is None else self.lessons.take(rows),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class DataInfo:
    """Facts about the data: classes, counts, fingerprints and notes.

    `problem` is the kind of the labels. `counts` is examples per split and class name.
    `fingerprint` is the sha256 of the
    sorted pairs of content hash and class name, so it does not depend on the place;
    each split has one in `fingerprints`.

    `copies` is the number of examples with the content of an earlier one, in the split
    of that one. `skipped` are the names of examples that were left out, with reasons;
    `notes` are sentences on how the data were read.
    """

    class_names: tuple[str, ...]
    counts: dict[str, dict[str, int]]
    fingerprint: str
    reference: str
    fingerprints: dict[str, str] = dataclasses.field(default_factory=dict)
    copies: int = 0
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = "single_label"


@dataclasses.dataclass(frozen=True, slots=True)
class Splits:
    """The three splits, and facts about them."""

    train: Split
    validation: Split
    test: Split
    info: DataInfo


def relative(weights: np.ndarray | None) -> np.ndarray | None:
    """Weights float32 `[n]` with a mean of 1; None where all count the same."""
    if weights is None or not len(weights):
        return weights
    return (weights / weights.mean(dtype=np.float64)).astype(np.float32)


def first(split: Split, count: int) -> Split:
    """At most the first `count` examples of a split."""
    return split.take(np.arange(min(count, len(split))))
