"""Reads the model file of SentencePiece, a protocol buffer, without its library.

https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from zoo.errors import BackboneError

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
_UNIGRAM = 1
# A piece that the user defined has score 0, and so is taken where it stands.
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED = 1, 2, 3, 4
_SPACE = "\u2581"


@dataclasses.dataclass(frozen=True, eq=False)
class SentencePieceModel:
    """The contents of a unigram model.

    The number of a piece is its place. `matched` says which of them may be found in a
    text; the others are marks. `replacements` is what normal form has for
    one or several characters.
    """

    pieces: tuple[str, ...]
    scores: np.ndarray
    matched: np.ndarray
    unknown: int
    replacements: dict[str, str]

    def number_of(self, piece: str) -> int:
        """The number of a mark.

        Raises:
            BackboneError: if the file is not such a model.
        """
        if piece not in self.pieces:
            raise BackboneError(f"The SentencePiece model has no piece '{piece}'.")
        return self.pieces.index(piece)


def parse(content: bytes) -> SentencePieceModel:
    """The model in the bytes of a file.

    Raises:
        BackboneError: if it is damaged, or of a kind that is not read here.
    """
    try:
        return _parse(content)
    except (IndexError, struct.error, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, BackboneError):
            raise
        raise BackboneError(
            f"The SentencePiece model is damaged: {error}. Fetch it again."
        ) from error


def _parse(content: bytes) -> SentencePieceModel:
    pieces, scores, kinds = [], [], []
    trainer: dict[int, Any] = {}
    normalizer: dict[int, Any] = {}
    for field, value in _fields(content):
        if field == _PIECES:
            piece = dict(_fields(value))
            pieces.append(piece[1].decode("utf-8"))
            scores.append(struct.unpack("<f", piece[2])[0] if 2 in piece else 0.0)
            kinds.append(piece.get(3, _NORMAL))
        elif field == _TRAINER:
            trainer = dict(_fields(value))
        elif field == _NORMALIZER:
            normalizer = dict(_fields(value))
    _refuse_others(pieces, kinds, trainer, normalizer)
    return SentencePieceModel(
        pieces=tuple(pieces),
        scores=np.array(scores, np.float64),
        matched=np.isin(kinds, (_NORMAL, _USER_DEFINED)),
        unknown=kinds.index(_UNKNOWN),
        replacements=_replacements(normalizer.get(2, b"")),
    )


def _refuse_others(pieces, kinds, trainer, normalizer) -> None:
    """Says what of SentencePiece is not read here, rather than splitting otherwise."""
    others = set(kinds) - {_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED}
    # Dummy prefix, extra white space removed, white space escaped: on by default.
    usual = all(normalizer.get(field, 1) == 1 for field in (3, 4, 5))
    if trainer.get(3, _UNIGRAM) != _UNIGRAM or others or not usual:
        raise BackboneError(
            "The SentencePiece model is not one of plain unigrams with the usual"
            " treatment of white space, and no other is read."
        )
    if kinds.count(_UNKNOWN) != 1 or any(_SPACE in piece[1:] for piece in pieces):
        raise BackboneError(
            "The SentencePiece model has pieces over several words, or not one piece"
            " for what is unknown, and is not read."
        )


def _fields(content: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message by their number: whole numbers, or bytes."""
    value: Any
    place = 0
    while place < len(content):
        tag, place = _varint(content, place)
        kind = tag & 7
        if kind == _VARINT:
            value, place = _varint(content, place)
        else:
            if kind == _BYTES:
                size, place = _varint(content, place)
            elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
                size = 8 if kind == _EIGHT_BYTES else 4
            else:
                raise ValueError(f"it has a field of kind {kind}")
            if place + size > len(content):
                raise ValueError("it ends too early")
            value = content[place : place + size]
            place += size
        yield tag >> 3, value


def _varint(content: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while content[place] & 0x80:
        value |= (content[place] & 0x7F) << shift
        shift, place = shift + 7, place + 1
    return value | content[place] << shift, place + 1


def _replacements(charsmap: bytes) -> dict[str, str]:
    """The replacements of normalisation: all keys of a double-array trie.

    A unit of 32 bits holds a label, whether a key ends there, and the base of its
    children: the place of a child is the base, exclusive-or its label. So each unit
    gives the base of its parent. https://github.com/s-yata/darts-clone
    """
    if not charsmap:
        return {}
    size = struct.unpack_from("<I", charsmap)[0]
    units = struct.unpack_from(f"<{size // 4}I", charsmap, 4)
    normal = charsmap[4 + size :]
    places_of: dict[int, list[int]] = {}
    for place, unit in enumerate(units):
        label = unit & 0x800000FF
        if 0 < label < 256:
            places_of.setdefault(place ^ label, []).append(place)
    replacements = {}
    stack = [(b"", _base(units[0]))]
    while stack:
        prefix, base = stack.pop()
        for place in places_of.get(base, ()):
            unit = units[place]
            key, below = prefix + bytes([unit & 0xFF]), place ^ _base(unit)
            if unit & 0x100:
                start = units[below] & 0x7FFFFFFF
                value = normal[start : normal.index(b"\0", start)]
                replacements[key.decode("utf-8")] = value.decode("utf-8")
            stack.append((key, below))
    return replacements


def _base(unit: int) -> int:
    return (unit >> 10) << ((unit & 0x200) >> 6)
