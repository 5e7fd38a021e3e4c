"""Examples that occur more than once: of equal content, or of equal appearance."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from pipelines.audit.findings import Finding
from pipelines.data.checks.inspection import Inspection
from pipelines.data.splits import Examples

# Pictures that differ in at most this many of 64 bits are one picture that was saved
# again, smaller or a little brighter: https://www.hackerfactor.com/blog/index.php?/archives/529
_NEAR_BITS = 3
# Pictures with fewer edges, or with hardly anything else, have similar bits by chance.
_FEW_EDGES = 3
_SAME = "the same content"
_NEAR = "nearly the same picture"
# The end of a finding on copies whose labels differ, by the kind of labels.
_ELSEWHERE = {"single_label": "in two classes"}
_APART = "with different labels"
_TOGETHER = {"single_label": "in one class"}
_EQUAL = "with equal labels"


def same_findings(
    examples: Examples,
    hashes: Sequence[str],
    *,
    members: Sequence[int] | None = None,
    is_dropped: bool = False,
) -> Iterator[Finding]:
    """The same content more than once; `members` are the examples of the hashes.

    Copies in several splits are only a note if a run drops them from training
    (`is_dropped`).
    """
    groups = groups_of_same(hashes, members or range(len(hashes)))
    for finding in _repeated(examples, groups, _SAME):
        is_shared = finding.severity == "error"
        yield (
            dataclasses.replace(finding, severity="note")
            if (is_shared and is_dropped)
            else finding
        )


def groups_of_same(hashes: Sequence[str], members: Sequence[int]) -> list[list[int]]:
    """The members that share a hash, for every hash that several share."""
    groups: dict[str, list[int]] = defaultdict(list)
    for i, content in zip(members, hashes, strict=True):
        groups[content].append(i)
    return [group for group in groups.values() if len(group) > 1]


def near_findings(
    examples: Examples, inspections: Sequence[Inspection], *, members: Sequence[int]
) -> Iterator[Finding]:
    """Pictures that look the same and are not the same file."""
    first: dict[str, int] = {}
    for i in members:
        first.setdefault(inspections[i].content, i)
    telling = (
        (i, inspections[i].appearance)
        for i in first.values()
        if _FEW_EDGES < inspections[i].appearance.bit_count() < 64 - _FEW_EDGES
    )
    yield from _repeated(examples, groups_of_near(telling), _NEAR)


def groups_of_near(appearances: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Groups of members whose 64 bits differ in at most `_NEAR_BITS`.

    Two that differ in three bits are equal in one of four quarters, so only those are
    compared.
    """
    quarters: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    leader: dict[int, int] = {}
    members: dict[int, list[int]] = {}
    for i, bits in appearances:
        keys = [(q, bits >> 16 * q & 0xFFFF) for q in range(_NEAR_BITS + 1)]
        near = next(
            (
                leader[j]
                for key in keys
                for j, other in quarters[key]
                if (bits ^ other).bit_count() <= _NEAR_BITS
            ),
            i,
        )
        leader[i] = near
        members.setdefault(near, []).append(i)
        for key in keys:
            quarters[key].append((i, bits))
    return [group for group in members.values() if len(group) > 1]


def _repeated(
    examples: Examples, groups: Iterable[Sequence[int]], likeness: str
) -> Iterator[Finding]:
    """A finding for each way in which a repetition hurts, the worst that applies."""
    by_harm: dict[tuple[str, str], list[Sequence[int]]] = defaultdict(list)
    for group in groups:
        by_harm[_harm(examples, group, likeness)].append(tuple(group))
    for (severity, kind), several in by_harm.items():
        yield Finding(
            severity,
            kind,
            tuple(" = ".join(examples.names[i] for i in group) for group in several),
            members=tuple(tuple(group) for group in several),
        )


def _harm(examples: Examples, group: Sequence[int], likeness: str) -> tuple[str, str]:
    if examples.splits and len({examples.splits[i] for i in group}) > 1:
        return "error" if likeness == _SAME else "warning", f"{likeness} in two splits"
    if len({examples.labels[i].tobytes() for i in group}) > 1:
        return "warning", f"{likeness} {_ELSEWHERE.get(examples.problem, _APART)}"
    return "note", f"{likeness} {_TOGETHER.get(examples.problem, _EQUAL)}"
