"""Many strings in little memory: the bytes themselves, and 12 more for each."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np

# Strings that are handled at a time: few enough not to matter in memory.
_BLOCK = 65536
# As `os.fsencode` and `os.fsdecode` do, at a third of the time.
_SPELLING = (sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Strings(Sequence[str]):
    """A sequence of strings that lie in one block of bytes, as file systems spell them.

    String `i` is `length[i]` bytes from `start[i]`, int32 and int64 `[n]`. `take`
    shares the block. Equal to any sequence of the same strings.
    """

    block: memoryview
    start: np.ndarray
    length: np.ndarray

    @classmethod
    def of(cls, values: Iterable[str]) -> Strings:
        """Packs the strings in their order; `Strings` are returned as they are."""
        if isinstance(values, Strings):
            return values
        packer = Packer()
        stream = iter(values)
        while some := [*itertools.islice(stream, _BLOCK)]:
            packer.extend(some)
        return packer.packed()

    def __len__(self) -> int:
        return len(self.start)

    def __iter__(self) -> Iterator[str]:
        return (content.decode(*_SPELLING) for content in self._bytes())

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice) -> Strings: ...

    def __getitem__(self, i: int | slice) -> str | Strings:
        if isinstance(i, slice):
            return Strings(self.block, self.start[i], self.length[i])
        start = int(self.start[i])
        content = bytes(self.block[start : start + int(self.length[i])])
        return content.decode(*_SPELLING)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(map(str.__eq__, self, other))

    def __repr__(self) -> str:
        some = ", ".join(map(repr, self[:3]))
        return f"Strings({some}{', ...' if len(self) > 3 else ''})"

    def __reduce__(self) -> tuple[object, ...]:
        own = self.compact()  # another process gets no strings that only others need
        return _unpickled, (bytes(own.block), own.length)

    def take(self, indices: Sequence[int] | np.ndarray) -> Strings:
        """Some of the strings, which share the block."""
        rows = np.asarray(indices, np.int64)
        return Strings(self.block, self.start[rows], self.length[rows])

    def without_first(self, count: int) -> Strings:
        """The same strings without their first `count` bytes."""
        return Strings(self.block, self.start + count, self.length - np.int32(count))

    def compact(self) -> Strings:
        """The same strings in a block that holds nothing else, in their order."""
        start = _starts(self.length)
        shift = self.start - start
        if len(self) and (shift == shift[0]).all():
            first, count = int(self.start[0]), int(self.length.sum())
            return Strings(self.block[first : first + count], start, self.length)
        block = bytearray()
        for content in self._bytes():
            block += content
        return Strings(memoryview(block), start, self.length)

    def codes(self) -> np.ndarray:
        """The rank of each string among the different ones, int64 `[n]`.

        Equal strings have equal numbers. Strings are ordered as bytes.
        """
        width = int(self.length.max(initial=0))
        if width and (self.length == width).all():
            return _codes_of_cells(np.frombuffer(self.compact().block, f"S{width}"))
        rank = {content: i for i, content in enumerate(sorted(set(self._bytes())))}
        return np.fromiter(
            (rank[content] for content in self._bytes()), np.int64, len(self)
        )

    def repeats(self) -> list[tuple[int, int]]:
        """For each string that was there before: its first place, and its own."""
        codes = self.codes()
        _, first = np.unique(codes, return_index=True)
        again = np.setdiff1d(np.arange(len(codes)), first)
        return list(zip(first[codes[again]].tolist(), again.tolist()))

    def _bytes(self) -> Iterator[bytes]:
        block = self.block
        for first in range(0, len(self), _BLOCK):
            start = self.start[first : first + _BLOCK]
            end = start + self.length[first : first + _BLOCK]
            for a, b in zip(start.tolist(), end.tolist()):
                yield bytes(block[a:b])


class Packer:
    """Packs strings that come one by one."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._block = bytearray()
        self._lengths: list[np.ndarray] = [np.zeros(0, np.int32)]

    def add(self, value: str) -> None:
        """Adds one string."""
        self._waiting.append(value.encode(*_SPELLING))
        if len(self._waiting) >= _BLOCK:
            self._pack()

    def extend(self, values: Iterable[str]) -> None:
        """Adds several strings."""
        self._waiting += [value.encode(*_SPELLING) for value in values]
        if len(self._waiting) >= _BLOCK:
            self._pack()

    def packed(self) -> Strings:
        """All strings that were added, in their order."""
        self._pack()
        length = np.concatenate(self._lengths)
        return Strings(memoryview(self._block), _starts(length), length)

    def _pack(self) -> None:
        self._block += b"".join(self._waiting)
        lengths = map(len, self._waiting)
        self._lengths.append(np.fromiter(lengths, np.int32, len(self._waiting)))
        self._waiting = []


def _unpickled(block: bytes, length: np.ndarray) -> Strings:
    return Strings(memoryview(block), _starts(length), length)


def _starts(length: np.ndarray) -> np.ndarray:
    return np.cumsum(length, dtype=np.int64) - length


def _codes_of_cells(cells: np.ndarray) -> np.ndarray:
    """The rank of each of many strings of one length, such as hashes.

    They are sorted where they lie: no object for each, and no second block.
    """
    order = np.argsort(cells, kind="stable")
    is_new = np.ones(len(cells), bool)
    for first in range(1, len(cells), _BLOCK):
        rows = order[first - 1 : first + _BLOCK]
        is_new[first : first + _BLOCK] = cells[rows[1:]] != cells[rows[:-1]]
    codes = np.empty(len(cells), np.int64)
    codes[order] = np.cumsum(is_new) - 1
    return codes
