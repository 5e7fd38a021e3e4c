"""One spelling of labels, groups and class names, for every reader."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from pipelines.data.names import choices, listing, natural_key
from pipelines.display.text import (
    is_blank,
    is_printable,
    shortened,
    without_joiners,
)
from pipelines.errors import DataError

# Blanks of other widths, and non-breaking ones.
_BLANKS = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
# A sentence is not a class; a report has a row for each.
_LONGEST = 500
_SHOWN = 5


@dataclasses.dataclass(frozen=True, eq=False)
class Classes:
    """Labels as indices into the names, int64 `[n]`, and notes on the names."""

    labels: np.ndarray
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def normal(text: str) -> str:
    """The one spelling of a label: composed, without blanks around it.

    Unicode has two ways to write `é`, and file systems disagree on it; a blank after a
    word is invisible.

    >>> normal("cafe\\u0301 ") == "caf\\u00e9"
    True
    """
    if not text.isascii():
        text = _BLANKS.sub(" ", unicodedata.normalize("NFC", text))
    return text.strip()


def normal_all(texts: Iterable[str]) -> Iterator[str]:
    """The spellings of many texts, each computed once."""
    known: dict[str, str] = {}
    for text in texts:
        spelling = known.get(text)
        if spelling is None:
            spelling = known[text] = normal(text)
        yield spelling


def index_classes(labels: Sequence[str], *, is_checked: bool = True) -> Classes:
    """Labels as indices, and the class names in natural order.

    Raises:
        DataError: if a name is blank, too long or cannot be shown, unless `is_checked`
            is false; an audit continues and reports it.
    """
    name_of = {label: normal(label) for label in set(labels)}
    names = tuple(sorted(set(name_of.values()), key=natural_key))
    if is_checked:
        require_names(names)
    index = {name: i for i, name in enumerate(names)}
    index_of = {label: index[name] for label, name in name_of.items()}
    return Classes(_looked_up(index_of, labels), names, _merged(name_of))


def index_declared(
    labels: Sequence[str], declared: Sequence[str], *, where: str
) -> Classes:
    """Labels as indices into declared names, in the order of these.

    Raises:
        DataError: if a label is not among them; and as `declared_names`.
    """
    names = declared_names(declared, where=where)
    index = {name: i for i, name in enumerate(names)}
    name_of = {label: normal(label) for label in set(labels)}
    for label, name in name_of.items():
        if name not in index:
            raise DataError(
                f"{where} has the label {shortened(label)!a}, which is not among the"
                f" class names. {choices(label, names)}"
            )
    index_of = {label: index[name] for label, name in name_of.items()}
    return Classes(_looked_up(index_of, labels), names, _merged(name_of))


def declared_names(names: Sequence[str], *, where: str) -> tuple[str, ...]:
    """The spellings of class names in their declared order.

    Raises:
        DataError: if two are the same, or one is blank, too long or cannot be shown.
    """
    spelt = tuple(map(normal, names))
    require_names(spelt)
    first: dict[str, str] = {}
    for raw, name in zip(names, spelt):
        if name in first:
            other = "" if first[name] == raw else f", as {first[name]!a} and {raw!a}"
            raise DataError(
                f"{where} says a name twice: {name!r}{other}. Keep one of each."
            )
        first[name] = raw
    return spelt


def require_names(names: Sequence[str]) -> None:
    """Checks that class names are distinct, and can be stored and shown.

    Raises:
        DataError: naming the first that cannot.
    """
    for name in names:
        if is_blank(name):
            raise DataError(
                f"A class name is blank ({name!a}), as the label of what cannot be"
                " read is. Rename the class, or take these examples out."
            )
        if len(name) > _LONGEST:
            raise DataError(
                f"A class name has {len(name)} characters: {shortened(name, 60)!a}; at"
                f" most {_LONGEST} are allowed. Is this what the labels are? Name"
                " another column or key with label=, or shorten the name."
            )
        if not is_printable(name):
            raise DataError(
                f"The class name {name!a} has characters that cannot be shown. "
                "Rename the class."
            )
    _require_visible_difference(names)


def _require_visible_difference(names: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(without_joiners(name), name)
        if other != name:
            raise DataError(
                f"The class names {other!a} and {name!a} look alike: only joiners,"
                " which are not seen, make them differ. Rename one of them."
            )


def alike(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Groups of names that differ only in upper and lower case or in blanks."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups["".join(name.casefold().split())].append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def alike_note(names: Sequence[str]) -> str:
    """A sentence about names that are probably one, or nothing."""
    groups = alike(names)
    if not groups:
        return ""
    pairs = listing((" and ".join(map(repr, group)) for group in groups), shown=_SHOWN)
    return (
        f"Class names that differ in upper and lower case or in blanks alone: {pairs}."
        " If they are one class, give them one name."
    )


def _looked_up(index_of: dict[str, int], labels: Sequence[str]) -> np.ndarray:
    return np.fromiter((index_of[label] for label in labels), np.int64, len(labels))


def _merged(name_of: dict[str, str]) -> tuple[str, ...]:
    """A note on classes that are spelt in several ways."""
    written: dict[str, list[str]] = defaultdict(list)
    for label, name in name_of.items():
        written[name].append(label)
    several = [
        f"{name!r} ({', '.join(sorted(map(ascii, labels)))})"
        for name, labels in sorted(written.items())
        if len(labels) > 1
    ]
    if not several:
        return ()
    return (
        "Labels that differ in blanks around them or in the form of their Unicode are"
        f" read as one class: {listing(several, shown=_SHOWN)}.",
    )
