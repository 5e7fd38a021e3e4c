"""Many strings in little memory: the bytes themselves, and 12 more for each."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np

# Strings that are handled at a time: few enough not to matter in memory.
_BLOCK = 65536


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Strings(Sequence[str]):
    """A sequence of strings that lie in one block of bytes, as file systems spell them.

    String `i` is `length[i]` bytes from `start[i]`, int64 and int32 `[n]`. What `take`
    gives shares the block. Equal to any sequence of the same strings.
    """

    block: bytes
    start: np.ndarray
    length: np.ndarray

    @classmethod
    def of(cls, values: Iterable[str]) -> Strings:
        """The strings in their order; they are itself if they are `Strings` already."""
        if isinstance(values, Strings):
            return values
        packer = Packer()
        for value in values:
            packer.add(value)
        return packer.packed()

    def __len__(self) -> int:
        return len(self.start)

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), _BLOCK):
            yield from map(os.fsdecode, self._bytes(slice(first, first + _BLOCK)))

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice) -> Strings: ...

    def __getitem__(self, i: int | slice) -> str | Strings:
        if isinstance(i, slice):
            return Strings(self.block, self.start[i], self.length[i])
        start = int(self.start[i])
        return os.fsdecode(self.block[start : start + int(self.length[i])])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(map(str.__eq__, self, other))

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:3]))
        return f"Strings({shown}{', ...' if len(self) > 3 else ''})"

    def take(self, indices: Sequence[int] | np.ndarray) -> Strings:
        rows = np.asarray(indices, np.int64)
        return Strings(self.block, self.start[rows], self.length[rows])

    def without_first(self, count: int) -> Strings:
        """The same strings without their first `count` bytes."""
        return Strings(self.block, self.start + count, self.length - np.int32(count))

    def compact(self) -> Strings:
        """The same strings in a block that holds nothing else, in their order."""
        ends = self.start + self.length
        if len(self) and (self.start[1:] == ends[:-1]).all():
            block = self.block[int(self.start[0]) : int(ends[-1])]
        else:
            block = b"".join(
                b"".join(self._bytes(slice(first, first + _BLOCK)))
                for first in range(0, len(self), _BLOCK)
            )
        return Strings(block, _starts(self.length), self.length)

    def codes(self) -> np.ndarray:
        """A number for each string, int64 `[n]`, the same for equal strings."""
        if len(self) and (self.length == self.length[0]).all() and self.length[0]:
            # Hashes are all as long: sorted where they lie, without an object for each.
            cells = np.frombuffer(self.compact().block, f"S{self.length[0]}")
            return np.unique(cells, return_inverse=True)[1].astype(np.int64)
        seen: dict[bytes, int] = {}
        numbers = (
            seen.setdefault(one, len(seen))
            for first in range(0, len(self), _BLOCK)
            for one in self._bytes(slice(first, first + _BLOCK))
        )
        return np.fromiter(numbers, np.int64, len(self))

    def _bytes(self, rows: slice) -> list[bytes]:
        start, length = self.start[rows], self.length[rows]
        return [
            self.block[first:end]
            for first, end in zip(start.tolist(), (start + length).tolist())
        ]


class Packer:
    """Takes strings one by one, and gives them packed."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._parts: list[bytes] = []
        self._lengths: list[np.ndarray] = [np.zeros(0, np.int32)]

    def add(self, value: str) -> None:
        self._waiting.append(os.fsencode(value))
        if len(self._waiting) == _BLOCK:
            self._pack()

    def packed(self) -> Strings:
        """All strings that were added, in their order."""
        self._pack()
        length = np.concatenate(self._lengths)
        return Strings(b"".join(self._parts), _starts(length), length)

    def _pack(self) -> None:
        self._parts.append(b"".join(self._waiting))
        lengths = map(len, self._waiting)
        self._lengths.append(np.fromiter(lengths, np.int32, len(self._waiting)))
        self._waiting = []


def _starts(length: np.ndarray) -> np.ndarray:
    return np.cumsum(length, dtype=np.int64) - length


def shown(text: str) -> str:
    """A file name that fits into a line: what cannot be printed is escaped.

    >>> shown("two\\nlines")
    'two\\\\nlines'
    """
    return text if text.isprintable() else repr(text)[1:-1]
