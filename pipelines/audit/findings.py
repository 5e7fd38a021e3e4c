"""What can be wrong with data, as plain values."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

# Errors stop training; warnings cost accuracy; notes are good to know.
SEVERITIES = ("error", "warning", "note")
# Above this ratio of examples, plain training neglects the smallest class.
_IMBALANCE = 10
# What is taken from train where the user does not give it.
_CARVED = ("validation", "test")
_SHORT_NAME = 3
# Of so many names that are one without one letter, only these are compared.
_MOST_ALIKE = 20
# Longer names are compared as a whole.
_LONG_NAME = 60
_NUMBERS = re.compile(r"\d+")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was found, and the examples or classes that it is about.

    `members` has the indices of the examples for each entry of `about` that is about
    examples, which may be several that are the same.
    """

    severity: str
    what: str
    about: tuple[str, ...]
    members: tuple[tuple[int, ...], ...] = ()

    @property
    def rank(self) -> int:
        return SEVERITIES.index(self.severity)


def group_by_reason(
    severity: str,
    prefix: str,
    pairs: Iterable[tuple[str, int]],
    *,
    names: Sequence[str],
) -> Iterator[Finding]:
    """A finding for every reason, with the examples that it goes for."""
    members: dict[str, list[int]] = defaultdict(list)
    for reason, i in pairs:
        members[reason].append(i)
    for reason, several in members.items():
        yield Finding(
            severity,
            f"{prefix}: {reason}" if prefix else reason,
            tuple(names[i] for i in several),
            members=tuple((i,) for i in several),
        )


def class_findings(
    counts: Mapping[str, int], *, given: Mapping[str, Mapping[str, int]] | None = None
) -> Iterator[Finding]:
    """What the names of the classes and their sizes say.

    `given` are the counts in the splits that the user gave, by their names.
    """
    yield from _small(given["train"] if given and "train" in given else counts, given)
    for split, inside in (given or {}).items():
        none = tuple(name for name, count in inside.items() if count == 0)
        if none and split != "train":
            yield Finding("warning", f"no example in the {split} split", none)
    if counts and max(counts.values()) > _IMBALANCE * max(min(counts.values()), 1):
        most = max(counts, key=counts.__getitem__)
        least = min(counts, key=counts.__getitem__)
        ratio = counts[most] / max(counts[least], 1)
        what = f"{ratio:.0f} times as many examples in the largest class"
        yield Finding("warning", what, (most, least))
    yield from _alike(list(counts))


def _small(
    counts: Mapping[str, int], given: Mapping[str, Mapping[str, int]] | None
) -> Iterator[Finding]:
    """Classes that do not reach train and every split that is carved from it."""
    need = 1 + sum(name not in (given or {}) for name in _CARVED)
    for few, what in (
        (0, "no example" + (" in the train split" if given else "")),
        (1, f"one example, and {need} are needed"),
        (2, f"two examples, and {need} are needed"),
    ):
        names = tuple(name for name, count in counts.items() if count == few < need)
        if names:
            yield Finding("error", f"a class with {what}", names)


def _alike(names: list[str]) -> Iterator[Finding]:
    """Classes that are probably one, misspelt."""
    pairs: dict[str, list[str]] = defaultdict(list)
    for one, other in sorted(_candidates(names)):
        same = _likeness(names[one], names[other])
        if same:
            pairs[same].append(f"{names[one]!r} and {names[other]!r}")
    for what, about in pairs.items():
        yield Finding("warning", f"class names that differ by {what}", tuple(about))


def _candidates(names: Sequence[str]) -> set[tuple[int, int]]:
    """Pairs of names that share a spelling without one letter, as all do that differ
    by one letter at most. In time that grows with the names, and not with their
    pairs."""
    holders: dict[str, list[int]] = defaultdict(list)
    for i, name in enumerate(names):
        plain = "".join(name.casefold().split())
        letters = len(plain) if len(plain) <= _LONG_NAME else 0
        without_one = {plain[:k] + plain[k + 1 :] for k in range(letters)}
        for spelling in {plain, *without_one}:
            holders[spelling].append(i)
    return {
        pair
        for several in holders.values()
        for pair in itertools.combinations(several[:_MOST_ALIKE], 2)
    }


def _likeness(one: str, other: str) -> str:
    if "".join(one.split()) == "".join(other.split()):
        return "blanks"
    if one.casefold().strip() == other.casefold().strip():
        return "upper and lower case"
    # Numbers that differ are names that were meant to.
    is_number = _NUMBERS.sub("", one) == _NUMBERS.sub("", other)
    if is_number or min(len(one), len(other)) < _SHORT_NAME:
        return ""
    return "one letter" if _one_letter_apart(one.casefold(), other.casefold()) else ""


def _one_letter_apart(one: str, other: str) -> bool:
    if abs(len(one) - len(other)) > 1:
        return False
    short, long = sorted((one, other), key=len)
    start = next((i for i, (a, b) in enumerate(zip(short, long)) if a != b), len(short))
    rest = short[start + 1 :] if len(short) == len(long) else short[start:]
    return rest == long[start + 1 :]
