"""What can be wrong with data, as plain values."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

# Errors stop training; warnings cost accuracy; notes are good to know.
SEVERITIES = ("error", "warning", "note")
# Above this ratio of examples, plain training neglects the smallest class.
_IMBALANCE = 10
# For each of train, validation and test.
_SPLITS = 3
_SHORT_NAME = 3


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was found, and the examples or classes that it is about."""

    severity: str
    what: str
    about: tuple[str, ...]

    @property
    def rank(self) -> int:
        return SEVERITIES.index(self.severity)


def group_by_reason(
    severity: str, prefix: str, pairs: Iterable[tuple[str, str]]
) -> Iterator[Finding]:
    """A finding for every reason, with the names that it goes for."""
    names: dict[str, list[str]] = defaultdict(list)
    for reason, name in pairs:
        names[reason].append(name)
    for reason, about in names.items():
        what = f"{prefix}: {reason}" if prefix else reason
        yield Finding(severity, what, tuple(about))


def class_findings(counts: Mapping[str, int]) -> Iterator[Finding]:
    """What the names of the classes and their sizes say."""
    few = tuple(name for name, count in counts.items() if count < _SPLITS)
    if few:
        what = f"fewer than {_SPLITS} examples, one for each split"
        yield Finding("error", what, few)
    if counts and max(counts.values()) > _IMBALANCE * max(min(counts.values()), 1):
        most = max(counts, key=counts.__getitem__)
        least = min(counts, key=counts.__getitem__)
        ratio = counts[most] / max(counts[least], 1)
        what = f"{ratio:.0f} times as many examples in the largest class"
        yield Finding("warning", what, (most, least))
    yield from _alike(list(counts))


def _alike(names: list[str]) -> Iterator[Finding]:
    """Classes that are probably one, misspelt."""
    pairs: dict[str, list[str]] = defaultdict(list)
    for one, other in itertools.combinations(names, 2):
        same = _likeness(one, other)
        if same:
            pairs[same].append(f"{one!r} and {other!r}")
    for what, about in pairs.items():
        yield Finding("warning", f"class names that differ by {what}", tuple(about))


def _likeness(one: str, other: str) -> str:
    if "".join(one.split()) == "".join(other.split()):
        return "blanks"
    if one.casefold().strip() == other.casefold().strip():
        return "upper and lower case"
    is_number = one.strip().isdigit() or other.strip().isdigit()
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
