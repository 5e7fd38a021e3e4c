"""Texts to ids, as layers of TensorFlow ops: serving reads texts as training did.

A tokenizer takes UTF-8 strings `[batch]` and gives int32 ids `[batch, length]`, cut
after `length` tokens and padded with 0; the tokenizer of a preset gives them with their
mask, by name. Bytes that are not UTF-8 do not fail a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras

from zoo.errors import BackboneError
from zoo.spec import Tokenizer
from zoo.tokenization import hashed_words, preset, sentencepiece, wordpiece, words

_LAYERS: dict[str, Callable[[Tokenizer, int, Path | None], keras.layers.Layer]] = {
    "hashed_words": hashed_words.layer,
    "preset": preset.layer,
    "sentencepiece": sentencepiece.layer,
    "wordpiece": wordpiece.layer,
    "words": words.layer,
}


def layer(
    tokenizer: Tokenizer, length: int, vocabulary: Path | None
) -> keras.layers.Layer:
    """The layer from strings to ids that a row's tokenizer describes.

    Raises:
        BackboneError: if no tokenizer is of this kind.
    """
    if tokenizer.kind not in _LAYERS:
        raise BackboneError(
            f"There is no tokenizer '{tokenizer.kind}'. Allowed: {', '.join(_LAYERS)}."
        )
    return _LAYERS[tokenizer.kind](tokenizer, length, vocabulary)
