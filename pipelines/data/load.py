"""From a reference to three splits, checked."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipelines.data import arrays, builtin, folder, records, table, tfds
from pipelines.data.checks import content_hashes, hashes_and_reasons, refusal
from pipelines.data.look_through import OnProgress
from pipelines.data.names import listing
from pipelines.data.printable import PLURALS
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import (
    Examples,
    ImageFiles,
    ImageRecords,
    Split,
    Splits,
)
from pipelines.data.splitting import (
    fingerprint,
    keep_some,
    require_independent,
    split_examples,
)
from pipelines.data.strings import Strings
from pipelines.errors import DataError


def load(ref: DatasetRef, *, on_progress: OnProgress | None = None) -> Splits:
    """The three splits of a reference; every example is read and checked once.

    `on_progress(done, total)` counts image files. The same reference and content give
    the same splits, wherever the data lie.

    Raises:
        DataError: if anything about the data stands in the way of training on them.
    """
    return check_and_split(read(ref), ref, on_progress=on_progress)


def check_and_split(
    examples: Examples, ref: DatasetRef, *, on_progress: OnProgress | None = None
) -> Splits:
    """The three splits of what `read` gave; see `load`."""
    _check_classes(examples, ref)
    examples = keep_some(examples, limit=ref.limit, seed=ref.seed)
    # Counted again with duplicates in mind when hashes are known; a class with one
    # image should not have to wait until a large folder is read.
    require_independent(examples, np.arange(len(examples)), limit=ref.limit)
    examples, hashes, skipped = _usable(examples, ref, on_progress)
    splits = split_examples(examples, hashes, ref)
    return dataclasses.replace(
        splits, info=dataclasses.replace(splits.info, skipped=skipped)
    )


def _usable(
    examples: Examples, ref: DatasetRef, on_progress: OnProgress | None
) -> tuple[Examples, Strings, tuple[tuple[str, str], ...]]:
    """The examples that can be used, their hashes, and what was skipped and why."""
    if ref.on_bad == "fail":
        return examples, content_hashes(examples.inputs, on_progress=on_progress), ()
    hashes, bad = hashes_and_reasons(examples.inputs, on_progress=on_progress)
    if len(bad) > ref.bad_limit * len(examples):
        raise DataError(
            f"{refusal(examples.inputs, bad)}\nThat is more than on_bad=skip leaves"
            f" out: bad_limit={ref.bad_limit:g} of all."
        )
    good = np.setdiff1d(np.arange(len(examples)), list(bad))
    skipped = tuple((examples.names[i], reason) for i, reason in bad.items())
    return examples.take(good), hashes.take(good), skipped


def load_part(
    ref: DatasetRef, part: str, *, trained_on: str
) -> tuple[Split, tuple[str, ...]]:
    """One split to evaluate on, and the names of its classes.

    `part` is the name of a split, `all`, or `auto`: the test split if these are the
    data with the fingerprint `trained_on`, and all examples if they are any other.

    Raises:
        DataError: as `load`, but that `all` may have any number of classes.
    """
    examples = keep_some(read(ref), limit=ref.limit, seed=ref.seed)
    examples, hashes, _ = _usable(examples, ref, None)
    if part == "auto":
        part = "test" if fingerprint(examples, hashes) == trained_on else "all"
    if part == "all":
        whole = Split("all", examples.inputs, examples.labels)
        return whole, examples.class_names
    _check_classes(examples, ref)
    splits = split_examples(examples, hashes, ref)
    return getattr(splits, part), examples.class_names


def read(ref: DatasetRef) -> Examples:
    """All that a reference holds; images in files of their own are only listed.

    Raises:
        DataError: if there is nothing of this name, or it is of another kind.
    """
    examples = _read(ref)
    if not isinstance(examples.inputs, ImageFiles | ImageRecords):
        return examples
    limited = dataclasses.replace(
        examples.inputs, maximum_megapixels=ref.maximum_megapixels
    )
    return dataclasses.replace(examples, inputs=limited)


def _read(ref: DatasetRef) -> Examples:
    if ref.scheme == "dir":
        return folder.read(ref.location, group=ref.group)
    if ref.scheme == "npz":
        return arrays.read(ref.location)
    if ref.scheme == "csv":
        return table.read(ref)
    if ref.scheme == "tfrecord":
        return records.read(ref)
    if ref.scheme == "tfds":
        return tfds.read(ref)
    return builtin.read(ref.location)


def _check_classes(examples: Examples, ref: DatasetRef) -> None:
    names, plural = examples.class_names, PLURALS[examples.inputs.modality]
    if len(names) < 2:
        raise DataError(
            f"{ref} has {len(names)} class ({listing(names, shown=1)}); telling "
            f"{plural} apart needs at least two. Add a folder or label for another "
            "class."
        )
    counts = np.bincount(examples.labels, minlength=len(names))
    empty = [repr(name) for name, count in zip(names, counts) if count == 0]
    if empty:
        raise DataError(
            f"Class {listing(empty, shown=10)} has no {examples.inputs.modality}. Add "
            f"{plural}, or take the name out of class_names."
        )
    for name in names:
        if not name.isprintable():
            raise DataError(
                f"The class name {name!a} has characters that cannot be shown. "
                "Rename the class."
            )
