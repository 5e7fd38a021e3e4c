"""The base of all tokenisations: a Keras layer from strings to ids."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from zoo.errors import BackboneError
from zoo.spec import Tokenizer

PADDING = 0


class Tokenization(keras.layers.Layer):
    """UTF-8 strings `[batch]` to int32 ids `[batch, length]`, padded with 0.

    It holds the bytes of its vocabulary file, so that a saved model needs no file
    beside it. Its tables are constants: there is nothing to initialise or to track.
    """

    def __init__(self, vocabulary: bytes | str, *, length: int, **options):
        super().__init__(trainable=False, autocast=False, **options)
        self.length = length
        self._vocabulary = (
            vocabulary if isinstance(vocabulary, str) else pack(vocabulary)
        )
        self._make_tables(unpack(self._vocabulary))
        # Strings do not exist on accelerators, and Keras would convert them to numbers.
        self.supports_jit = False
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True

    def _make_tables(self, vocabulary: bytes) -> None:
        raise NotImplementedError

    def _tokenize(self, texts: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def call(self, inputs: Any) -> tf.Tensor:
        """The ids of strings, int32 `[batch, length]`."""
        with tf.device("CPU"):
            texts = tf.convert_to_tensor(inputs, tf.string)
            return tf.ensure_shape(self._tokenize(texts), (None, self.length))

    def compute_output_spec(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """A symbolic tensor of ids."""
        return keras.KerasTensor((*inputs.shape, self.length), dtype="int32")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again, with its vocabulary."""
        config = super().get_config()
        # The same for every instance, and no argument of ours.
        del config["trainable"]
        return {**config, "vocabulary": self._vocabulary, "length": self.length}


def read_vocabulary(tokenizer: Tokenizer, path: Path | None) -> bytes:
    """The bytes of the file that a row names.

    Raises:
        BackboneError: if the row names none.
    """
    if path is None:
        raise BackboneError(
            f"A tokenizer of kind '{tokenizer.kind}' reads a vocabulary, but its row"
            " names none."
        )
    return path.read_bytes()


def pack(vocabulary: bytes) -> str:
    """Bytes as text that a JSON file takes."""
    return base64.b85encode(zlib.compress(vocabulary, 6)).decode("ascii")


def unpack(packed: str) -> bytes:
    """The bytes that `pack` made text of."""
    return zlib.decompress(base64.b85decode(packed))


def to_rows(
    ids: tf.Tensor, rows: tf.Tensor, count: tf.Tensor, *, length: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Ids one after another to `[count, length]`, cut or padded, and their number."""
    ragged = tf.RaggedTensor.from_value_rowids(ids, rows, count, validate=False)
    filled = tf.minimum(ragged.row_lengths(), length)
    return ragged.to_tensor(PADDING, shape=(None, length)), tf.cast(filled, tf.int32)


def between(
    ids: tf.Tensor,
    rows: tf.Tensor,
    count: tf.Tensor,
    *,
    first: int,
    last: int,
    length: int,
) -> tf.Tensor:
    """The same with an id before and one after each text; the last is never cut."""
    inner, filled = to_rows(ids, rows, count, length=length - 2)
    padded = tf.pad(inner, [[0, 0], [1, 1]])
    place = tf.range(length)
    padded = tf.where(place == 0, first, padded)
    return tf.where(place == filled[:, None] + 1, last, padded)
