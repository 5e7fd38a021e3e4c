"""Examples of a caller, a reference or data in Python, with their hashes."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipelines.data.checks.content_hashes import content_hashes
from pipelines.data.in_memory.referenced import referenced
from pipelines.data.load import load_part, read
from pipelines.data.one_class import read_class
from pipelines.data.reference import DatasetRef
from pipelines.data.spelling import normal
from pipelines.data.splits import Inputs
from pipelines.data.splitting import keep_some
from pipelines.errors import DataError


@dataclasses.dataclass(frozen=True, eq=False)
class Labelled:
    """Examples with labels `[n]`, the names of their classes, and their sha256.

    `reference` says in records where they come from.
    """

    inputs: Inputs
    labels: np.ndarray
    names: tuple[str, ...]
    contents: list[bytes]
    reference: str


@contextlib.contextmanager
def labelled(data: Any) -> Iterator[Labelled]:
    """Inside, all examples of labelled data, whatever their split; each content once.

    `data` is as for `zootune.fine_tune`.

    Raises:
        DataError: if some cannot be used.
    """
    with referenced(data, {}) as (reference, _):
        split, names = load_part(DatasetRef.parse(reference), "all", trained_on=())
        contents = _hashes(split.inputs)
        rows = _firsts(contents)
        yield Labelled(
            split.inputs.take(rows),
            split.labels[rows],
            names,
            [contents[row] for row in rows],
            reference,
        )


@contextlib.contextmanager
def of_class(name: str, images: Any) -> Iterator[Labelled]:
    """Inside, the examples of one class, each content once.

    `images` are a reference with this class or one class alone, or as for `unlabelled`.

    Raises:
        DataError: if no example is there, or some cannot be used.
    """
    name = normal(name)
    with _with_label(images, name) as reference:
        examples, hashes = read_class(DatasetRef.parse(reference), name)
        contents = [content.encode() for content in hashes]
        rows = _firsts(contents)
        yield Labelled(
            examples.inputs.take(rows),
            np.zeros(len(rows), np.int64),
            (name,),
            [contents[row] for row in rows],
            reference,
        )


@contextlib.contextmanager
def unlabelled(images: Any) -> Iterator[Inputs]:
    """Inside, all examples in order.

    `images` are a reference, or images uint8 `[n, h, w, 3]`, a list of paths, of
    encoded bytes or of texts, or series `[n, steps, channels]`.

    Raises:
        DataError: if no example is there, or one cannot be read.
    """
    with _with_label(images, "example") as reference:
        ref = DatasetRef.parse(reference)
        inputs = keep_some(read(ref), limit=ref.limit, seed=ref.seed).inputs
        content_hashes(inputs)
        yield inputs


@contextlib.contextmanager
def content_of(example: Any) -> Iterator[bytes]:
    """Inside, the sha256 of one example, as for `unlabelled` but alone."""
    several: Any = example if isinstance(example, str) and ":" in example else [example]
    if isinstance(example, np.ndarray):
        several = example[np.newaxis]
    with unlabelled(several) as inputs:
        (content, *others) = _hashes(inputs)
        if others:
            raise DataError(
                f"Pass one example; {1 + len(others)} came. Forget them one by one."
            )
        yield content


def _firsts(contents: list[bytes]) -> np.ndarray:
    """The first row of each content, in order."""
    _, firsts = np.unique(contents, return_index=True)
    return np.sort(firsts)


def _hashes(inputs: Inputs) -> list[bytes]:
    return [content.encode() for content in content_hashes(inputs)]


@contextlib.contextmanager
def _with_label(images: Any, label: str) -> Iterator[str]:
    """The reference of examples without labels; all of them have this one."""
    data = images
    if not isinstance(images, str):
        if not hasattr(images, "__len__"):
            raise DataError(
                f"Examples of the type {type(images).__name__} have no length. Pass an"
                " array, or a list of paths, of bytes or of texts."
            )
        if not len(images):
            raise DataError("There are no examples. Pass at least one.")
        data = (images, [label] * len(images))
    with referenced(data, {}) as (reference, _):
        yield reference
