"""From a reference to three splits, checked."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection, Sequence

import numpy as np

from pipelines.data.checks.content_hashes import check_content, how_to_go_on, refusal
from pipelines.data.checks.inspect_files import OnProgress
from pipelines.data.in_memory import hugging_face
from pipelines.data.packed_strings import Strings
from pipelines.data.readers import (
    arrays,
    builtin,
    folder,
    memory,
    records,
    series_files,
    series_table,
    table,
    tar_files,
    tfds,
)
from pipelines.data.reference import DatasetRef
from pipelines.data.spelling import alike_note
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
    without_shared,
)
from pipelines.data.tables import row_table
from pipelines.data.targets.choice import SINGLE_LABEL, as_problem, kind_of
from pipelines.data.weights import weights_in_words
from pipelines.display.text import shown
from pipelines.errors import DataError
from zoo.spec import Column

_SHOWN = 10

_log = logging.getLogger(__name__)


def load(ref: DatasetRef, *, on_progress: OnProgress | None = None) -> Splits:
    """The three splits of a reference; every example is read and checked once.

    `on_progress(done, total)` counts image files. The same reference and content give
    the same splits, wherever the data lie.

    Raises:
        DataError: if the data cannot be trained on.
    """
    return check_and_split(read(ref), ref, on_progress=on_progress)


def check_and_split(
    examples: Examples, ref: DatasetRef, *, on_progress: OnProgress | None = None
) -> Splits:
    """The three splits of what `read` gave; see `load`."""
    kind_of(examples.problem).check(examples, ref)
    examples = keep_some(examples, limit=ref.limit, seed=ref.seed)
    # Counted again without duplicates when hashes are known; a class with one image is
    # refused before a large folder is read.
    require_independent(examples, np.arange(len(examples)), limit=ref.limit)
    examples, hashes = usable(examples, ref, on_progress)
    notes = _notes(examples)
    splits = split_examples(examples, hashes, ref)
    info = dataclasses.replace(splits.info, skipped=examples.skipped, notes=notes)
    return dataclasses.replace(splits, info=info)


def _notes(examples: Examples) -> tuple[str, ...]:
    """Logs and returns the notes on how the data were read."""
    alike = alike_note(examples.class_names)
    notes = (*examples.notes, *((alike,) if alike else ()))
    if examples.weights is not None:
        notes = (*notes, weights_in_words(examples.weights))
    for note in notes:
        _log.warning("%s", note)
    return notes


def usable(
    examples: Examples, ref: DatasetRef, on_progress: OnProgress | None
) -> tuple[Examples, Strings]:
    """The usable examples, with reasons for the skipped ones, and their hashes.

    Raises:
        DataError: if some cannot be used, unless the reference leaves them out.
    """
    checked = check_content(examples.inputs, on_progress=on_progress)
    hashes, bad = checked.hashes, checked.bad
    if bad and ref.on_bad == "fail":
        inputs = examples.inputs
        raise DataError(f"{refusal(inputs, bad)}\n{how_to_go_on(inputs)}")
    skipped = (*examples.skipped, *((examples.names[i], bad[i]) for i in bad))
    total = len(examples) + len(examples.skipped)
    if len(skipped) > ref.bad_limit * total:
        raise DataError(
            f"{_refusal(skipped, total)}\nThat is more than on_bad=skip leaves out:"
            f" bad_limit={ref.bad_limit:g} of all."
        )
    if bad:
        good = np.setdiff1d(np.arange(len(examples)), list(bad))
        examples, hashes = examples.take(good), hashes.take(good)
    inputs = examples.inputs
    if isinstance(inputs, ImageFiles | ImageRecords):
        inputs = dataclasses.replace(inputs, kinds=checked.kinds)
    examples = dataclasses.replace(
        examples,
        inputs=inputs,
        skipped=skipped,
        notes=(*examples.notes, *checked.notes),
    )
    return without_shared(examples, hashes, ref)


def _refusal(skipped: Sequence[tuple[str, str]], total: int) -> str:
    lines = "".join(f"\n  {shown(name)}: {why}" for name, why in skipped[:_SHOWN])
    more = f"\n  and {len(skipped) - _SHOWN} more" if len(skipped) > _SHOWN else ""
    return f"{len(skipped)} of {total} examples cannot be used:{lines}{more}"


def load_part(
    ref: DatasetRef,
    part: str,
    *,
    trained_on: Collection[str],
    problem: str = SINGLE_LABEL,
    columns: Sequence[Column] | None = None,
) -> tuple[Split, tuple[str, ...]]:
    """One split to evaluate on, and the names of its classes.

    `part` is the name of a split, `all`, or `auto`: the test split if these are data
    with a fingerprint in `trained_on`, and all examples if they are any other.

    Raises:
        DataError: as `load`, but that `all` may have any number of classes.
    """
    examples = read(ref, problem, columns)
    examples = keep_some(examples, limit=ref.limit, seed=ref.seed)
    examples, hashes = usable(examples, ref, None)
    _notes(examples)
    if part == "auto":
        part = "test" if fingerprint(examples, hashes) in trained_on else "all"
    if part == "all":
        names = Strings.of(examples.names)
        whole = Split(
            "all",
            examples.inputs,
            examples.labels,
            names=names,
            weights=examples.weights,
        )
        return whole, examples.class_names
    kind_of(examples.problem).check(examples, ref)
    splits = split_examples(examples, hashes, ref)
    return getattr(splits, part), examples.class_names


def read(
    ref: DatasetRef,
    problem: str = SINGLE_LABEL,
    columns: Sequence[Column] | None = None,
) -> Examples:
    """All that a reference holds; images in files of their own are only listed.

    `problem` is the kind of labels that is asked for, or `auto`: the kind that is plain
    to see. A table is read as rows with `columns`, if they are known.

    Raises:
        DataError: if there is nothing of this name, or it is of another kind.
    """
    return _limited(as_problem(_read(ref, problem, columns), problem, ref), ref)


def read_or_flat(ref: DatasetRef, *, class_name: str) -> Examples:
    """As `read`, where a folder may hold the files itself: all of one class then.

    Raises:
        DataError: if there is nothing of this name.
    """
    if ref.scheme == "dir" and folder.holds_images(ref.location):
        return _limited(folder.read_flat(ref.location, class_name=class_name), ref)
    return read(ref)


def _limited(examples: Examples, ref: DatasetRef) -> Examples:
    """The examples, whose images have no more pixels than the reference allows."""
    if not isinstance(examples.inputs, ImageFiles | ImageRecords):
        return examples
    limited = dataclasses.replace(
        examples.inputs, maximum_megapixels=ref.maximum_megapixels
    )
    return dataclasses.replace(examples, inputs=limited)


def _read(ref: DatasetRef, problem: str, columns: Sequence[Column] | None) -> Examples:
    if ref.scheme == "dir":
        return folder.read(ref.location, group=ref.group, layout=ref.layout)
    if ref.scheme == "npz":
        return arrays.read(ref.location, on_bad=ref.on_bad, problem=problem)
    if ref.scheme == "memory":
        return memory.read(ref.location, on_bad=ref.on_bad, problem=problem)
    if ref.scheme in ("arff", "ts"):
        return series_files.read(ref.scheme, ref.location)
    if ref.holds_rows or (columns and ref.scheme == "csv"):
        return row_table.read(ref, problem, columns)
    if ref.scheme == "csv" and ref.holds_series:
        return series_table.read(ref, problem)
    if ref.scheme == "csv":
        return table.read(ref, problem=problem)
    if ref.scheme == "hf":
        return hugging_face.read(ref, problem=problem)
    if ref.scheme == "tar":
        return tar_files.read(ref, problem=problem)
    if ref.scheme == "tfrecord":
        return records.read(ref, problem=problem)
    if ref.scheme == "tfds":
        return tfds.read(ref, problem=problem)
    return builtin.read(ref.location)
