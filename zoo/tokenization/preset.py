"""Texts to ids by the preprocessor of a KerasHub preset, in the graph of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from zoo.backend import import_ops
from zoo.errors import BackboneError
from zoo.spec import Tokenizer
from zoo.weights import kerashub_presets


@keras.saving.register_keras_serializable("zootune")
class PresetTokenizer(keras.layers.Layer):
    """The inputs of a preset's network for texts, with the marks that it knows.

    Gives `token_ids`, `padding_mask` (1 for a token and 0 for padding) and, where the
    preset has them, `segment_ids`: int32 `[batch, length]` each. The marks around a
    text count as tokens, so that a blank text has some.

    The graph has ops of tensorflow_text. A `.keras` file holds the handle of the
    preset, whose files are read again when it is loaded, so Keras wants to hear
    `safe_mode=False` then; an exported model needs them no more.
    """

    def __init__(self, *, preset: str, length: int, **layer_options: object) -> None:
        super().__init__(**{**layer_options, "trainable": False})
        self.preset = preset
        self.length = length
        self._preprocessor = preprocessor(preset, length=length)
        # Outside of a graph KerasHub reads texts in Python; served is the graph.
        self._read = tf.function(
            self._ids, input_signature=[tf.TensorSpec([None], tf.string)]
        )
        self._keys = tuple(self._read.get_concrete_function().structured_outputs)

    def call(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Ids, mask and segments of strings, by name."""
        return self._read(text)

    def _ids(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        # Its ops fail on bytes that are not UTF-8.
        clean = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
        packed = _packed(self._preprocessor, clean)
        if "padding_mask" not in packed:
            pad = self._preprocessor.tokenizer.pad_token_id
            packed["padding_mask"] = packed["token_ids"] != pad
        return {
            key: tf.ensure_shape(tf.cast(value, tf.int32), [None, self.length])
            for key, value in sorted(packed.items())
        }

    def compute_output_spec(
        self, text: keras.KerasTensor
    ) -> dict[str, keras.KerasTensor]:
        """Symbolic tensors, by name."""
        return {
            key: keras.KerasTensor((*text.shape, self.length), dtype="int32")
            for key in self._keys
        }

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again."""
        return {**super().get_config(), "preset": self.preset, "length": self.length}


def preprocessor(preset: str, **options: Any) -> Any:
    """The layer of KerasHub that prepares texts for a preset.

    It is the preprocessor of its classifier, else of its language model, else the
    usual one around its tokenizer.

    Raises:
        BackboneError: if the preset has no tokenizer.
    """
    import_ops([kerashub_presets.TEXT_OPS])
    hub = kerashub_presets.library()
    if "length" in options:
        options["sequence_length"] = options.pop("length")
    for kind in (
        hub.models.TextClassifierPreprocessor,
        hub.models.CausalLMPreprocessor,
    ):
        try:
            return kerashub_presets.load(kind.from_preset, preset, **options)
        except BackboneError as error:
            if not _is_unknown_kind(error):
                raise
    tokenizer = kerashub_presets.load(hub.models.Tokenizer.from_preset, preset)
    return hub.models.TextClassifierPreprocessor(tokenizer, **options)


def layer(
    tokenizer: Tokenizer, length: int, vocabulary: Path | None
) -> PresetTokenizer:
    """The layer of a row; its vocabulary lies in the preset."""
    return PresetTokenizer(
        preset=str(tokenizer.preset), length=length, name="tokenizer"
    )


def _is_unknown_kind(error: BackboneError) -> bool:
    """True if KerasHub has no such preprocessor for the network of a preset."""
    return "Unable to find a subclass" in str(error)


def _packed(layer: Any, text: tf.Tensor) -> dict[str, tf.Tensor]:
    # A language model's own call would also give what comes next, as labels.
    prepare = getattr(layer, "generate_preprocess", layer)
    return dict(prepare(text))
