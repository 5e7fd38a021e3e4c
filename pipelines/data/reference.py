"""A dataset reference: where the data are and how they are split, as plain data."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from pipelines.data.names import choices
from pipelines.data.readers.split_folders import LAYOUTS
from pipelines.data.readers.table_format import DELIMITERS, has_encoding
from pipelines.errors import DataError

# A header that claims more is a mistake or an attack: decoded, 50 million pixels are
# 150 MB.
MAXIMUM_MEGAPIXELS = 50.0
# A larger file is not an image: four channels of 16 bits, and as much again.
MAXIMUM_BYTES_PER_PIXEL = 16
ON_BAD = ("fail", "skip")
DUPLICATES = ("fail", "drop")
SCHEMES = (
    *("arff", "builtin", "csv", "dir", "hf", "memory", "npz", "parquet"),
    *("tar", "tfds", "tfrecord", "ts"),
)
# Options that only some schemes know.
_SPECIAL = {
    "group": ("csv", "dir", "hf", "parquet", "tar", "tfds", "tfrecord"),
    "image": ("csv", "hf", "tar", "tfds", "tfrecord"),
    "text": ("csv", "hf", "tar", "tfds", "tfrecord"),
    "sound": ("csv",),
    "label": ("csv", "hf", "parquet", "tar", "tfds", "tfrecord"),
    "label_delimiter": ("csv", "memory", "parquet"),
    "split": ("csv", "hf", "parquet", "tar", "tfrecord"),
    "series": ("csv",),
    "time": ("csv",),
    "values": ("csv",),
    "columns": ("csv", "parquet"),
    "weight": ("csv", "hf", "parquet", "tar", "tfds", "tfrecord"),
    "data_dir": ("tfds",),
    "delimiter": ("csv",),
    "encoding": ("csv",),
}
_MEANINGS = {
    "group": "says what stays together",
    "values": "names the columns of the numbers of series",
    "columns": "names the columns of a table that are read",
    "data_dir": "is the folder of TensorFlow Datasets",
    "delimiter": "separates the cells of a table",
    "label_delimiter": "separates the labels in a cell of a table",
    "encoding": "is the encoding of a table",
}
_HINTS = {
    ("group", "npz"): " An npz file says its groups in an array named 'group'.",
    ("weight", "npz"): " An npz file has its weights in an array 'sample_weight'.",
    (
        "weight",
        "dir",
    ): " For weights of images in folders list them in a table, 'csv:'.",
    ("split", "tfds"): " The splits of TensorFlow Datasets are used as they are.",
}

_OPTIONS: dict[str, Any] = {
    "validation": float,
    "test": float,
    "seed": int,
    "group": str,
    "limit": int,
    "maximum_megapixels": float,
    "on_bad": str,
    "bad_limit": float,
    "image": str,
    "text": str,
    "sound": str,
    "label": str,
    "series": str,
    "time": str,
    "values": str,
    "columns": str,
    "label_delimiter": str,
    "split": str,
    "weight": str,
    "data_dir": str,
    "delimiter": str,
    "encoding": str,
    "duplicates": str,
    "layout": str,
}
# Decoded, these are 1.5 GB for each image that is read at the same time.
_MOST_MEGAPIXELS = 500.0
_KINDS = {float: "a number", int: "a whole number"}


@dataclasses.dataclass(frozen=True, slots=True)
class DatasetRef:
    """A parsed `SCHEME:LOCATION[?option=value&...]`.

    `validation` and `test` are the fractions that are carved unless the data come
    split; `limit` keeps that many examples. Images of more than
    `maximum_megapixels` are refused. `on_bad` is `fail`, or `skip` to leave out images
    that cannot be used, up to the fraction `bad_limit`. `group` is a regular expression
    for `dir:`. Elsewhere it names a column of a table, a key of records or a feature,
    as `image`, `text` or `sound`, `label`, `split` and `weight` do. `data_dir` is where
    `tfds:` looks.

    In a table of series, `series` names the column that says of each row which series
    it is a step of, `time` orders these rows, and `values` has the names or patterns of
    the columns of numbers, parted by `|`.

    In a table of numbers and categories, `columns` has the names or patterns of the
    columns that are read, parted by commas; `*` is all that no other option names.
    `parquet:` is such a table, and `csv:` with `columns`.

    `delimiter` and `encoding` describe a table whose file does not show them;
    `label_delimiter` is between the labels of an example that has several.
    `duplicates` is `fail`, or `drop` to leave out training examples whose content
    another split has too. With the `layout` `classes`, every folder is
    a class, also one with the name of a split.

    Raises:
        DataError: if a value is out of its range; the message says the range.
    """

    scheme: str
    location: str
    validation: float = 0.15
    test: float = 0.15
    seed: int = 0
    group: str | None = None
    limit: int | None = None
    maximum_megapixels: float = MAXIMUM_MEGAPIXELS
    on_bad: str = "fail"
    bad_limit: float = 0.01
    image: str | None = None
    text: str | None = None
    sound: str | None = None
    label: str | None = None
    series: str | None = None
    time: str | None = None
    values: str | None = None
    columns: str | None = None
    label_delimiter: str | None = None
    split: str | None = None
    weight: str | None = None
    data_dir: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    duplicates: str = DUPLICATES[0]
    layout: str = LAYOUTS[0]

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise DataError(
                f"Unknown scheme {self.scheme!r} in the data reference. "
                + choices(self.scheme, SCHEMES)
            )
        # `builtin:` alone is answered with the list of names, by its reader.
        if not self.location and self.scheme != "builtin":
            raise DataError(f"'{self.scheme}:' needs a path after the colon.")
        self._check_fractions()
        self._check_rest()

    @classmethod
    def parse(cls, text: str) -> DatasetRef:
        """The reference that `text` writes; `str()` of it gives the text back.

        Where they would be misread, `%` is written `%25`, a `?` in the location
        `%3F` and a `&` in a value `%26`. Everything else stands for itself.

        >>> DatasetRef.parse("dir:photos?test=0.2").test
        0.2
        """
        scheme, colon, rest = text.partition(":")
        if not colon:
            raise DataError(
                f"{text!r} is not a data reference; it needs a scheme, as in "
                f"'dir:{text}'. Allowed: {', '.join(SCHEMES)}."
            )
        location, question, tail = rest.partition("?")
        options = _parse_options(tail) if question else {}
        return cls(scheme, _unescape(location), **options)

    def __str__(self) -> str:
        options = [
            f"{field.name}={_escape(str(value), '&')}"
            for field in dataclasses.fields(self)
            if field.name in _OPTIONS
            and (value := getattr(self, field.name)) != field.default
        ]
        text = f"{self.scheme}:{_escape(self.location, '?')}"
        return f"{text}?{'&'.join(options)}" if options else text

    @property
    def holds_series(self) -> bool:
        """True for a table whose numbers are series."""
        return any((self.series, self.time, self.values))

    @property
    def holds_rows(self) -> bool:
        """True for a table of numbers and categories, whose rows are the examples."""
        return self.scheme == "parquet" or self.columns is not None

    def _check_fractions(self) -> None:
        for name in ("validation", "test"):
            fraction = getattr(self, name)
            if not 0 < fraction <= 0.5:
                raise DataError(
                    f"{name}={fraction} is out of range; it is the fraction of the "
                    "images to hold out, more than 0 and at most 0.5, as in "
                    f"{name}=0.15."
                )
        if self.validation + self.test >= 1:
            raise DataError(
                f"validation={self.validation} and test={self.test} leave nothing to "
                "train on; together they must stay below 1."
            )

    def _check_rest(self) -> None:
        self._check_amounts()
        self._check_folders_and_files()
        self._check_schemes()
        self._check_columns()
        self._check_tables()

    def _check_amounts(self) -> None:
        if self.seed < 0:
            raise DataError(f"seed={self.seed} is negative; use 0 or more.")
        if self.limit is not None and self.limit < 1:
            raise DataError(
                f"limit={self.limit} keeps nothing; use 1 or more, or leave it out."
            )
        if not 0 < self.maximum_megapixels <= _MOST_MEGAPIXELS:
            raise DataError(
                f"maximum_megapixels={self.maximum_megapixels:g} is out of range; it is"
                " how many million pixels an image may have, more than 0 and at most"
                f" {_MOST_MEGAPIXELS:g}."
            )

    def _check_folders_and_files(self) -> None:
        if self.on_bad not in ON_BAD:
            raise DataError(
                f"on_bad={self.on_bad!r} is unknown. {choices(self.on_bad, ON_BAD)}"
            )
        for name, allowed in (("duplicates", DUPLICATES), ("layout", LAYOUTS)):
            value = getattr(self, name)
            if value not in allowed:
                raise DataError(
                    f"{name}={value!r} is unknown. {choices(value, allowed)}"
                )
        if self.layout != LAYOUTS[0] and self.scheme not in ("dir", "tfds"):
            raise DataError(
                f"layout= says what folders are, and works with 'dir:' and 'tfds:', not"
                f" with '{self.scheme}:'."
            )
        if not 0 <= self.bad_limit <= 1:
            raise DataError(
                f"bad_limit={self.bad_limit} is out of range; it is the fraction of the"
                " files that may be skipped, from 0 to 1, as in bad_limit=0.01."
            )
        if self.group == "":
            raise DataError("group= is empty; give a pattern, or leave it out.")

    def _check_schemes(self) -> None:
        for name, schemes in _SPECIAL.items():
            if getattr(self, name) is not None and self.scheme not in schemes:
                meaning = _MEANINGS.get(name, "names a column or a key")
                raise DataError(
                    f"{name}= {meaning}, and works"
                    f" with {_quoted(schemes)}, not with '{self.scheme}:'."
                    + _HINTS.get((name, self.scheme), "")
                )

    def _check_columns(self) -> None:
        columns = {"image": self.image, "text": self.text, "sound": self.sound}
        named = [f"{name}=" for name, column in columns.items() if column is not None]
        if len(named) > 1:
            raise DataError(f"{' and '.join(named)} are both given; keep one.")
        if self.holds_series and named:
            raise DataError(
                f"series= and values= describe series, and {named[0]} other"
                " examples; keep one kind."
            )
        if self.columns is not None and (self.holds_series or named):
            raise DataError(
                "columns= describes a table of numbers and categories, and image=,"
                " text=, sound=, series= and values= other examples; keep one kind."
            )
        if self.columns is not None and not self.columns.strip(", "):
            raise DataError(
                "columns= is empty; name columns, as in columns=age,job, or give"
                " columns=* for all."
            )

    def _check_tables(self) -> None:
        between = self.label_delimiter
        if between is not None and (not between.strip() or between.isalnum()):
            raise DataError(
                f"label_delimiter={between!r} cannot part labels: use a sign that no"
                " label has, as in label_delimiter=| or label_delimiter=;"
            )
        if self.delimiter is not None and self.delimiter not in DELIMITERS:
            raise DataError(
                f"delimiter={self.delimiter!r} is unknown."
                f" {choices(self.delimiter, DELIMITERS)}"
            )
        if self.encoding is not None and not has_encoding(self.encoding):
            raise DataError(
                f"encoding={self.encoding!r} is not known to Python. Use one such as"
                " utf-8, utf-16, cp1252 or latin-1."
            )


def _parse_options(tail: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for part in tail.split("&"):
        name, equals, value = part.partition("=")
        if name not in _OPTIONS:
            raise DataError(
                f"Unknown option {name!r} in the data reference. "
                + choices(name, _OPTIONS)
            )
        if not equals:
            raise DataError(f"Option {name!r} needs a value, as in '{name}=...'.")
        if name in options:
            raise DataError(f"Option {name!r} is given twice; keep one.")
        options[name] = _parse_value(name, _unescape(value))
    return options


def _parse_value(name: str, value: str) -> Any:
    kind = _OPTIONS[name]
    try:
        return kind(value)
    except ValueError:
        raise DataError(f"{name}={value!r} is not {_KINDS[kind]}.") from None


def _quoted(schemes: Sequence[str]) -> str:
    return " and ".join(f"'{scheme}:'" for scheme in schemes)


def _escape(text: str, special: str) -> str:
    return text.replace("%", "%25").replace(special, f"%{ord(special):02X}")


def _unescape(text: str) -> str:
    for escaped, plain in (("%3F", "?"), ("%26", "&"), ("%25", "%")):
        text = text.replace(escaped, plain)  # `%25` last: `%253F` means `%3F`
    return text
