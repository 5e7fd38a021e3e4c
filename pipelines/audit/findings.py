"""Problems of data as plain values, and those of class names and class sizes."""

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
# Splits that are carved from train unless the data have them.
_CARVED = ("validation", "test")
_SHORT_NAME = 3
# At most this many names are compared with each other that share a spelling.
_MOST_ALIKE = 20
# Longer names are compared as a whole.
_LONG_NAME = 60
_NUMBERS = re.compile(r"\d+")


@dataclasses.dataclass(frozen=True)
class Finding:
    """A problem, and the examples or classes that it is about.

    `members` has the indices of the examples of each entry of `about`, several where
    they are copies of each other; it is empty for problems of classes.
    """

    severity: str
    problem: str
    about: tuple[str, ...]
    members: tuple[tuple[int, ...], ...] = ()

    @property
    def rank(self) -> int:
        """The place of its severity, 0 for errors."""
        return SEVERITIES.index(self.severity)


def group_by_reason(
    severity: str,
    prefix: str,
    pairs: Iterable[tuple[str, int]],
    *,
    names: Sequence[str],
) -> Iterator[Finding]:
    """A finding for every reason, with its examples."""
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
    counts: Mapping[str, int],
    *,
    by_split: Mapping[str, Mapping[str, int]] | None = None,
) -> Iterator[Finding]:
    """Findings from the names and the sizes of the classes.

    `by_split` has the counts in each split, where the data come split.
    """
    yield from _small(
        by_split["train"] if by_split and "train" in by_split else counts, by_split
    )
    for split, inside in (by_split or {}).items():
        none = tuple(name for name, count in inside.items() if count == 0)
        if none and split != "train":
            yield Finding("warning", f"no example in the {split} split", none)
    if counts and max(counts.values()) > _IMBALANCE * max(min(counts.values()), 1):
        most = max(counts, key=counts.__getitem__)
        least = min(counts, key=counts.__getitem__)
        ratio = counts[most] / max(counts[least], 1)
        problem = f"{ratio:.0f} times as many examples in the largest class"
        yield Finding("warning", problem, (most, least))
    yield from _alike(list(counts))


def _small(
    counts: Mapping[str, int], by_split: Mapping[str, Mapping[str, int]] | None
) -> Iterator[Finding]:
    """Classes that do not reach train and every split that is carved from it."""
    need = 1 + sum(name not in (by_split or {}) for name in _CARVED)
    for few, problem in (
        (0, "no example" + (" in the train split" if by_split else "")),
        (1, f"one example, and {need} are needed"),
        (2, f"two examples, and {need} are needed"),
    ):
        names = tuple(name for name, count in counts.items() if count == few < need)
        if names:
            yield Finding("error", f"a class with {problem}", names)


def _alike(names: list[str]) -> Iterator[Finding]:
    """Classes that are probably one, misspelt."""
    pairs: dict[str, list[str]] = defaultdict(list)
    for first, second in sorted(_candidates(names)):
        difference = _likeness(names[first], names[second])
        if difference:
            pairs[difference].append(f"{names[first]!r} and {names[second]!r}")
    for difference, about in pairs.items():
        yield Finding(
            "warning", f"class names that differ by {difference}", tuple(about)
        )


def _candidates(names: Sequence[str]) -> set[tuple[int, int]]:
    """Pairs of names that share a spelling without one letter.

    All names that differ by at most one letter do. The time grows with the names, and
    not with their pairs.
    """
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


def _likeness(first: str, second: str) -> str:
    if "".join(first.split()) == "".join(second.split()):
        return "blanks"
    if first.casefold().strip() == second.casefold().strip():
        return "upper and lower case"
    # Names with different numbers differ on purpose.
    is_number = _NUMBERS.sub("", first) == _NUMBERS.sub("", second)
    if is_number or min(len(first), len(second)) < _SHORT_NAME:
        return ""
    return (
        "one letter" if _one_letter_apart(first.casefold(), second.casefold()) else ""
    )


def _one_letter_apart(first: str, second: str) -> bool:
    if abs(len(first) - len(second)) > 1:
        return False
    short, long = sorted((first, second), key=len)
    start = next((i for i, (a, b) in enumerate(zip(short, long)) if a != b), len(short))
    rest = short[start + 1 :] if len(short) == len(long) else short[start:]
    return rest == long[start + 1 :]
