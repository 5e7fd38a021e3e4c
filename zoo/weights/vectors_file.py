"""Reads text files of word vectors: GloVe's, and those of word2vec and fastText.

Each line is a word and its numbers. The latter two begin with a line that says how many
words and numbers there are. A file that ends in `.gz` is unpacked while it is read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NoReturn, cast

import numpy as np

from zoo.errors import BackboneError

# fastText's 2 million words of 300 numbers are 2.4 GB.
_MAXIMUM_BYTES = 8 * 2**30
# Longer than any line of vectors, and short enough for other files.
_MAXIMUM_LINE_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True, eq=False)
class WordVectors:
    """Distinct words, and their vectors `[words, width]` in float32."""

    words: tuple[str, ...]
    vectors: np.ndarray


def read_word_vectors(
    path: Path, *, maximum_bytes: int = _MAXIMUM_BYTES
) -> WordVectors:
    """All of a file whose vectors take at most `maximum_bytes`.

    Raises:
        BackboneError: if it is another file, is cut or is too large; names the line.
    """
    words: list[str] = []
    rows: list[np.ndarray] = []
    for number, word, fields in _entries(path):
        row = _to_vector(path, number, fields)
        if (len(rows) + 1) * row.nbytes > maximum_bytes:
            _refuse(path, number, f"makes it more than {maximum_bytes:,} bytes")
        words.append(word)
        rows.append(row)
    return WordVectors(tuple(words), np.stack(rows))


def read_words(path: Path) -> tuple[str, ...]:
    """The words of a file alone, which takes a tenth of the time.

    Raises:
        BackboneError: if it is another file or is cut; names the line.
    """
    return tuple(word for _, word, _ in _entries(path))


def _entries(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """The number of each line, its word, and as many fields as in all other lines."""
    line_of: dict[str, int] = {}
    announced = width = None
    with _whole_lines(path) as lines:
        for number, line in lines:
            # Not at every white space: words of the web hold no-break spaces.
            fields = line.replace("\t", " ").rstrip(" ").split(" ")
            if number == 1 and len(fields) == 2 and all(map(str.isdecimal, fields)):
                announced, width = map(int, fields)
                continue
            width = width or len(fields) - 1
            word = _word(path, number, fields, width)
            if word in line_of:
                _refuse(path, number, f"has '{word}', as has line {line_of[word]}")
            line_of[word] = number
            yield number, word, fields[-width:]
    if not line_of:
        raise BackboneError(f"{path} has no word vectors in it.")
    if announced is not None and len(line_of) != announced:
        raise BackboneError(
            f"{path} says in its first line that it has {announced:,} words, but it"
            f" has {len(line_of):,}. It was cut or put together: fetch it again."
        )


def _word(path: Path, number: int, fields: list[str], width: int) -> str:
    """All that stands before the numbers: some words of GloVe, as ". . .", hold spaces.

    Raises:
        BackboneError: if there are more or fewer numbers than in the lines before.
    """
    names = len(fields) - width
    if width < 1:
        _refuse(path, number, "has no numbers")
    if names < 1 or any(_is_number(field) for field in fields[1:names]):
        _refuse(path, number, f"has {len(fields) - 1} numbers, expected {width}")
    word = " ".join(fields[:names])
    if not word:
        _refuse(path, number, "has no word before its numbers")
    return word


def _to_vector(path: Path, number: int, fields: list[str]) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):  # It is refused below.
            row = np.array([float(field) for field in fields], np.float32)
    except ValueError:
        wrong = next(field for field in fields if not _is_number(field))
        _refuse(path, number, f"has '{wrong[:40]}' where a number was expected")
    if not np.isfinite(row).all():
        _refuse(path, number, "has a number that is not finite")
    return row


@contextlib.contextmanager
def _whole_lines(path: Path) -> Iterator[Iterator[tuple[int, str]]]:
    """The numbered lines; a file that cannot be read to its end is one sentence."""
    try:
        with _open(path) as stream:
            yield _lines(path, stream)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BackboneError(
            f"{path} cannot be unpacked: {error}. Fetch it again."
        ) from error
    except OSError as error:
        raise BackboneError(f"{path} cannot be read: {error.strerror}.") from error


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path))
    return path.open("rb")


def _lines(path: Path, stream: IO[bytes]) -> Iterator[tuple[int, str]]:
    number = 0
    while line := stream.readline(_MAXIMUM_LINE_BYTES + 1):
        number += 1
        if len(line) > _MAXIMUM_LINE_BYTES:
            _refuse(path, number, f"is longer than {_MAXIMUM_LINE_BYTES:,} bytes")
        try:
            yield number, line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            _refuse(path, number, "is not UTF-8")


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _refuse(path: Path, number: int, problem: str) -> NoReturn:
    raise BackboneError(
        f"Line {number:,} of {path} {problem}. A file of word vectors is text: a word"
        " and its numbers in each line, separated by spaces."
    )
