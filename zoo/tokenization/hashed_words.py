"""Words by their hash: needs no vocabulary, and two words may share an id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from zoo.spec import Tokenizer

_BETWEEN_WORDS = r"[^\p{L}\p{N}]+"


@keras.saving.register_keras_serializable("zootune")
class HashedWords(keras.layers.Layer):
    """Lower-case words as ids from 1 to `size - 1`, int32 `[batch, length]`.

    A word is a run of letters and digits. Id 0 is padding.
    """

    def __init__(self, *, size: int, length: int, **layer_options: object) -> None:
        super().__init__(**{"trainable": False, **layer_options})
        self.size = size
        self.length = length

    def call(self, text: tf.Tensor) -> tf.Tensor:
        """The ids of strings, int32 `[batch, length]`."""
        # Lower-casing fails on bytes that are not UTF-8.
        clean = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
        lower = tf.strings.lower(clean, encoding="utf-8")
        words = tf.strings.split(tf.strings.regex_replace(lower, _BETWEEN_WORDS, " "))
        ids = words.with_flat_values(
            tf.strings.to_hash_bucket_fast(words.flat_values, self.size - 1) + 1
        )
        return tf.cast(ids.to_tensor(shape=[None, self.length]), tf.int32)

    def compute_output_spec(self, text: keras.KerasTensor) -> keras.KerasTensor:
        """A symbolic tensor of ids."""
        return keras.KerasTensor((*text.shape, self.length), dtype="int32")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {**super().get_config(), "size": self.size, "length": self.length}


def layer(tokenizer: Tokenizer, length: int, vocabulary: Path | None) -> HashedWords:
    """The layer of a row, which reads no vocabulary."""
    return HashedWords(size=tokenizer.size, length=length, name="tokenizer")
