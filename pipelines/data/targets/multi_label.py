"""Any number of labels for each example: float32 `[n, labels]`, 0 or 1."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from pipelines.data.grouping import count_groups
from pipelines.data.names import listing, natural_key
from pipelines.data.packed_strings import Strings
from pipelines.data.reference import DatasetRef
from pipelines.data.spelling import require_names
from pipelines.data.splits import Examples, ImageFiles
from pipelines.data.targets.iterative import deal_labels
from pipelines.data.targets.same_content import joined_files
from pipelines.display.text import is_blank, shortened
from pipelines.errors import DataError

DELIMITER = "|"
_OTHERS = ("|", ";", ",", "/", " ")
_SHOWN = 10
# The schemes whose labels are the names of folders.
_IN_FOLDERS = ("dir", "tfds")


class MultiLabel:
    """Any number of labels for each example, also none."""

    name = "multi_label"
    noun = "label"

    def from_classes(self, examples: Examples, ref: DatasetRef) -> Examples:
        """Examples whose labels were read as class names, with labels of this kind.

        In folders, an image has the labels of all the folders that it lies in.
        """
        if isinstance(examples.inputs, ImageFiles) and ref.scheme in _IN_FOLDERS:
            return self._of_folders(examples, examples.inputs, ref)
        delimiter = ref.label_delimiter or DELIMITER
        lists = [_parts(name, delimiter) for name in examples.class_names]
        _refuse_blanks(lists, examples, delimiter)
        _refuse_lone(lists, examples, ref, delimiter)
        names = tuple(
            sorted({part for parts in lists for part in parts}, key=natural_key)
        )
        require_names(names)
        place = {name: i for i, name in enumerate(names)}
        rows = np.zeros((len(lists), len(names)), np.float32)
        for row, parts in zip(rows, lists):
            row[[place[part] for part in parts]] = 1.0
        labels = rows[examples.labels]
        none = int((labels.sum(axis=1) == 0).sum())
        twice = sum(len(set(parts)) < len(parts) for parts in lists)
        notes = [
            f"Each example has any of {len(names)} labels, on average"
            f" {labels.sum() / len(labels):.2f}; {none} examples have none."
        ]
        if twice:
            notes.append(f"{twice} lists name a label twice, which counts once.")
        return dataclasses.replace(
            examples,
            labels=labels,
            class_names=names,
            problem=self.name,
            notes=(*examples.notes, *notes),
        )

    def _of_folders(
        self, examples: Examples, inputs: ImageFiles, ref: DatasetRef
    ) -> Examples:
        joined = joined_files(examples, Strings.of(inputs.paths))
        if joined.labels.sum(axis=1).max() < 2:
            raise DataError(
                f"No image of {ref} lies in the folders of two classes, so each has"
                " exactly one label, and config.problem='single_label' fits. For"
                " several labels put links to an image, or copies, into all their"
                " folders; or list them in a table, as in label=cat|dog."
            )
        return dataclasses.replace(joined, problem=self.name)

    def check(self, examples: Examples, ref: DatasetRef) -> None:
        """Raises `DataError` for labels that nothing can be learned from."""
        names, labels = examples.class_names, examples.labels
        if len(names) < 2:
            raise DataError(
                f"{ref} has one label ({listing(names, shown=1)}), which an example"
                " has or has not. Name both, for instance 'yes' and 'no', and use"
                " config.problem='single_label'."
            )
        counts = labels.sum(axis=0)
        for which, words in ((counts == len(labels), "every"), (counts == 0, "no")):
            if which.any():
                named = (repr(names[i]) for i in np.flatnonzero(which))
                raise DataError(
                    f"The label {listing(named, shown=_SHOWN)} is on {words} example of"
                    f" {ref}, so nothing can be learned of it. Take it out, or add"
                    f" examples {'without' if words == 'every' else 'with'} it."
                )

    def strata(self, labels: np.ndarray) -> np.ndarray:
        """The rarest label of each example, and one code more for none."""
        counts = labels.sum(axis=0)
        rarest = np.where(labels > 0, counts, np.inf)
        return np.where(labels.any(axis=1), rarest.argmin(axis=1), labels.shape[1])

    def count_independent(
        self, labels: np.ndarray, groups: np.ndarray, names: Sequence[str]
    ) -> Sequence[tuple[str, int]]:
        """The number of groups of each name that every split needs."""
        counted = []
        for i, name in enumerate(names):
            absent, present = count_groups(labels[:, i].astype(np.int64), groups, 2)
            counted += [(name, int(present)), (f"not {name}", int(absent))]
        return counted

    def deal(
        self,
        labels: np.ndarray,
        groups: np.ndarray,
        *,
        held_out: Sequence[float],
        seed: int,
    ) -> np.ndarray:
        """The split of every example, `[n]`: 0 is train, then one a fraction."""
        return deal_labels(labels, groups, held_out=held_out, seed=seed)

    def absent(self, labels: np.ndarray, names: Sequence[str]) -> Sequence[str]:
        """The names that a split with these labels lacks and has to have."""
        counts = labels.sum(axis=0)
        lacks = (counts == 0) | (counts == len(labels))
        return [names[i] for i in np.flatnonzero(lacks).tolist()]

    def counts(self, labels: np.ndarray, names: Sequence[str]) -> dict[str, int]:
        """The number of examples of each name."""
        return {name: int(n) for name, n in zip(names, labels.sum(axis=0))}

    def in_words(
        self, labels: np.ndarray, names: Sequence[str]
    ) -> tuple[np.ndarray, Sequence[str]]:
        """A code for each example, in the order of words, `[n]`; and the words."""
        words = [
            DELIMITER.join(sorted(names[i] for i in np.flatnonzero(row).tolist()))
            for row in labels
        ]
        return np.unique(words, return_inverse=True)[1], words


def _parts(text: str, delimiter: str) -> list[str]:
    """The labels in a list; a blank list has none."""
    if is_blank(text):
        return []
    return [part.strip() for part in text.split(delimiter)]


def _refuse_blanks(
    lists: Sequence[Sequence[str]], examples: Examples, delimiter: str
) -> None:
    bad = [i for i, parts in enumerate(lists) if any(map(is_blank, parts))]
    if bad:
        row = int(np.flatnonzero(np.isin(examples.labels, bad))[0])
        text = examples.class_names[examples.labels[row]]
        raise DataError(
            f"{examples.names[row]} has the labels {shortened(text)!r}, and one between"
            f" two {delimiter!r} is blank. Take the blank out; an example without any"
            f" label has an empty cell. {len(bad)} lists are like this."
        )


def _refuse_lone(
    lists: Sequence[Sequence[str]],
    examples: Examples,
    ref: DatasetRef,
    delimiter: str,
) -> None:
    """Raises `DataError` if no list has two labels and none is empty."""
    if any(len(parts) != 1 for parts in lists):
        return
    others = [other for other in _OTHERS if other != delimiter]
    seen = {
        other: sum(other in name for name in examples.class_names) for other in others
    }
    likely = max(others, key=seen.__getitem__)
    hint = (
        f" {seen[likely]} of {len(lists)} different labels have {likely!r}: if that"
        f" parts labels, say label_delimiter={likely} in the reference."
        if seen[likely] * 2 >= len(lists)
        else ""
    )
    raise DataError(
        f"No label of {ref} has the delimiter {delimiter!r}, so each example has"
        f" exactly one label, and config.problem='single_label' fits.{hint}"
    )
