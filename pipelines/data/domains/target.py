"""The examples of a target domain, checked against the source."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence, Set

import numpy as np

from pipelines.data.checks.content_hashes import content_hashes
from pipelines.data.domains.unlabelled import read_all, read_unlabelled
from pipelines.data.grouping import group_ids
from pipelines.data.names import listing
from pipelines.data.packed_strings import Strings
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Examples, Series, Split, Splits
from pipelines.display.text import PLURALS
from pipelines.errors import DataError

# Moments of fewer examples are noise.
FEWEST = 20
_NO_CLASS = "target"
_SHOWN = 10


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """The facts about a source that a target is checked against.

    `shape` has steps and channels of series, None for any, and is empty for what has
    any size. `contents` are the sha256 of all examples, `held_out` those of validation
    and test.
    """

    modality: str
    class_names: tuple[str, ...]
    contents: Set[str]
    held_out: Set[str]
    shape: tuple[int | None, ...] = ()


def source_of(splits: Splits) -> Source:
    """The facts about the splits of a run; files that were checked are not read."""
    inputs = splits.train.inputs
    held_out = {
        content
        for split in (splits.validation, splits.test)
        for content in content_hashes(split.inputs)
    }
    return Source(
        inputs.modality,
        splits.info.class_names,
        held_out.union(content_hashes(inputs)),
        held_out,
        inputs.values.shape[1:] if isinstance(inputs, Series) else (),
    )


def read_target(reference: str, source: Source) -> Split:
    """The examples of a target, whose labels are not used.

    Raises:
        DataError: if they are fewer than 20, of another modality or length, of one
            class or of classes that the source does not have, or all in the source.
    """
    ref = DatasetRef.parse(reference)
    examples, hashes = read_unlabelled(ref, class_name=_NO_CLASS)
    require_taken(examples, reference, source)
    if examples.class_names != (_NO_CLASS,):
        _require_classes(examples, reference, source.class_names)
    if len(examples) < FEWEST:
        raise DataError(
            f"{reference} holds {len(examples)} examples of the target, and {FEWEST} at"
            " least are needed to see how it differs. Collect more; they need no"
            " labels."
        )
    if set(hashes) <= source.contents:
        raise DataError(
            f"Every example of {reference} is in the source too, so that there is"
            " nothing to adapt. Name examples of the other domain in"
            " config.adapt.target, or leave it out."
        )
    return split_of(examples, hashes, "target")


def read_labelled(reference: str, source: Source, *, fewest: int) -> Split:
    """Labelled examples of a target, with labels in the order of the source's classes.

    Raises:
        DataError: if they are fewer than `fewest`, or for what `read_target` refuses,
            or if some are in validation or test of the source.
    """
    ref = DatasetRef.parse(reference)
    examples, hashes = read_all(ref)
    require_taken(examples, reference, source)
    names = source.class_names
    _require_classes(examples, reference, names)
    if len(examples) < fewest:
        raise DataError(
            f"{reference} holds {len(examples)} labelled examples of the target, and"
            f" {fewest} at least can judge an adaptation. Label more, or leave"
            " config.adapt.labelled out."
        )
    shared = sum(content in source.held_out for content in hashes)
    if shared:
        raise DataError(
            f"{shared} examples of {reference} are in validation or test of the source,"
            " which must train nothing. Take them out of one of the two."
        )
    place = np.array([names.index(name) for name in examples.class_names])
    examples = dataclasses.replace(examples, labels=place[examples.labels])
    return split_of(examples, hashes, "labelled")


def split_of(examples: Examples, hashes: Strings, name: str) -> Split:
    """All examples as one split; those of the same content have one group."""
    return Split(
        name,
        examples.inputs,
        examples.labels,
        group_ids(examples, hashes.codes()),
        names=Strings.of(examples.names),
    )


def require_taken(examples: Examples, reference: str, source: Source) -> None:
    """Raises `DataError` unless the network of the source takes the examples."""
    inputs = examples.inputs
    if inputs.modality != source.modality:
        raise DataError(
            f"{reference} holds {PLURALS[inputs.modality]}, but the source has"
            f" {PLURALS[source.modality]}. Both have to be of the same kind."
        )
    if isinstance(inputs, Series):
        steps, channels = inputs.values.shape[1:]
        if any(a not in (None, b) for a, b in zip(source.shape, (steps, channels))):
            raise DataError(
                f"{reference} holds series of {steps} steps and {channels} channels,"
                f" but the source has {source.shape[0]} steps and {source.shape[1]}"
                " channels. Record or cut the series as those of the source."
            )


def _require_classes(
    examples: Examples, reference: str, class_names: Sequence[str]
) -> None:
    """Raises `DataError` for unknown classes, or for one alone."""
    names = examples.class_names
    unknown = [name for name in names if name not in class_names]
    flat = "images of unknown classes go into one folder, without folders in it"
    if unknown:
        raise DataError(
            f"{reference} has the classes {listing(map(repr, unknown), shown=_SHOWN)},"
            " which the source does not have. A head answers the classes of the source:"
            f" {listing(map(repr, class_names), shown=_SHOWN)}. Take the others out;"
            f" {flat}."
        )
    if len(np.unique(examples.labels)) < 2:
        raise DataError(
            f"{reference} holds one class alone, '{names[0]}'. Methods of adaptation"
            " compare all classes of two domains, and would spread these examples over"
            f" the others. Add examples of other classes; {flat}."
        )
