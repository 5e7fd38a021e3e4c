"""MiniLM as a Keras functional model, and its published sentence-encoder weights.

A small BERT (https://arxiv.org/abs/1810.04805) that was distilled from a large one
(https://arxiv.org/abs/2002.10957) and trained to tell sentences apart. The average of
its features over the tokens is the published sentence embedding before it is scaled to
length one.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from zoo.catalog.text import MINILM_VARIANTS, BertVariant
from zoo.errors import CorruptWeightsError, MissingWeightsError
from zoo.graph.padding import blank_padding, is_token
from zoo.spec import BackboneSpec
from zoo.weights.tensors import TensorFile

_NORM_EPSILON = 1e-12
_DROPOUT = 0.1
# `position_ids` counts from 0 to 511. The pooler was for guessing whether a sentence
# follows another; the published embedding does not use it.
_NOT_READ = ("embeddings.position_ids", "pooler.dense.bias", "pooler.dense.weight")


@dataclasses.dataclass(frozen=True)
class _Part:
    """One weight of a layer, and the tensor of the file that fills it.

    Kernels lie as `[out, in]` in the file, where the heads of attention lie next to
    each other on one axis.
    """

    tensor: str
    variable: keras.Variable
    shape_in_file: tuple[int, ...]
    transposed: bool = False


def network(
    spec: BackboneSpec, ids: keras.KerasTensor, weights_file: Path | None
) -> keras.KerasTensor:
    """The feature sequence `[batch, tokens, 384]`, zero where `ids` are padding."""
    features, parts = _build(MINILM_VARIANTS[spec.handle], ids)
    if weights_file:
        _fill(parts, weights_file)
    return features


def _build(
    variant: BertVariant, ids: keras.KerasTensor
) -> tuple[keras.KerasTensor, list[_Part]]:
    x, parts = _embed(variant, ids)
    for number in range(variant.depth):
        x = _attend(variant, x, number, parts)
        x = _transform(variant, x, number, parts)
    return x, parts


def _embed(
    variant: BertVariant, ids: keras.KerasTensor
) -> tuple[keras.KerasTensor, list[_Part]]:
    """Word, position and sentence; every text is a first sentence."""
    positions = ops.cumsum(ops.ones_like(ids), axis=1) - 1
    parts = []
    summands = []
    for name, size, numbers in (
        ("word", variant.vocabulary, ids),
        ("position", variant.positions, positions),
        ("token_type", variant.sentences, ops.zeros_like(ids)),
    ):
        layer = layers.Embedding(size, variant.width, name=f"embeddings_{name}")
        summands.append(layer(numbers))
        source = f"embeddings.{name}_embeddings.weight"
        parts.append(_Part(source, layer.embeddings, (size, variant.width)))
    x = layers.Add(name="embeddings_add")(summands)
    x = _normalize(x, "embeddings_norm", "embeddings.LayerNorm", parts)
    x = layers.Dropout(_DROPOUT, name="embeddings_drop")(x)
    x = blank_padding(x, ops.not_equal(ids, 0), name="embeddings_output")
    return x, parts


def _attend(
    variant: BertVariant, x: keras.KerasTensor, number: int, parts: list[_Part]
) -> keras.KerasTensor:
    """Each token looks at all tokens of its text."""
    name, source = f"layer{number + 1}_attention", f"encoder.layer.{number}.attention"
    attention = layers.MultiHeadAttention(
        variant.heads, variant.width // variant.heads, dropout=_DROPOUT, name=name
    )
    y = attention(x, x, attention_mask=is_token(x)[:, None, :])
    for ours, theirs in (
        (attention.query_dense, "self.query"),
        (attention.key_dense, "self.key"),
        (attention.value_dense, "self.value"),
        (attention.output_dense, "output.dense"),
    ):
        _take(ours, f"{source}.{theirs}", (variant.width, variant.width), parts)
    y = layers.Dropout(_DROPOUT, name=f"{name}_drop")(y)
    y = layers.Add(name=f"{name}_add")([x, y])
    y = _normalize(y, f"{name}_norm", f"{source}.output.LayerNorm", parts)
    return blank_padding(y, is_token(x), name=f"{name}_output")


def _transform(
    variant: BertVariant, x: keras.KerasTensor, number: int, parts: list[_Part]
) -> keras.KerasTensor:
    """Each token by itself."""
    name, source = f"layer{number + 1}", f"encoder.layer.{number}"
    widen = layers.Dense(variant.hidden_width, name=f"{name}_widen")
    narrow = layers.Dense(variant.width, name=f"{name}_narrow")
    y = widen(x)
    # The exact GELU, the default of Keras.
    y = layers.Activation("gelu", name=f"{name}_gelu")(y)
    y = narrow(y)
    inner, outer = variant.hidden_width, variant.width
    _take(widen, f"{source}.intermediate.dense", (inner, outer), parts)
    _take(narrow, f"{source}.output.dense", (outer, inner), parts)
    y = layers.Dropout(_DROPOUT, name=f"{name}_drop")(y)
    y = layers.Add(name=f"{name}_add")([x, y])
    y = _normalize(y, f"{name}_norm", f"{source}.output.LayerNorm", parts)
    return blank_padding(y, is_token(x), name=f"{name}_output")


def _normalize(
    x: keras.KerasTensor, name: str, source: str, parts: list[_Part]
) -> keras.KerasTensor:
    layer = layers.LayerNormalization(epsilon=_NORM_EPSILON, name=name)
    y = layer(x)
    width = (x.shape[-1],)
    parts.append(_Part(f"{source}.weight", layer.gamma, width))
    parts.append(_Part(f"{source}.bias", layer.beta, width))
    return y


def _take(
    layer: layers.Layer, source: str, shape: tuple[int, int], parts: list[_Part]
) -> None:
    kernel = _Part(f"{source}.weight", layer.kernel, shape, transposed=True)
    parts += [kernel, _Part(f"{source}.bias", layer.bias, shape[:1])]


def _fill(parts: list[_Part], weights_file: Path) -> None:
    """Sets every weight from the file, after all of them were seen to fit."""
    file = TensorFile(weights_file, _read(weights_file))
    values = [_value(part, file) for part in parts]
    file.refuse_unused({*(part.tensor for part in parts), *_NOT_READ})
    for part, value in zip(parts, values):
        part.variable.assign(value)


def _read(weights_file: Path) -> dict[str, np.ndarray]:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise MissingWeightsError(
            f"{weights_file.name} is read by a package that is not installed:"
            " pip install 'zootune[text]'"
        ) from error
    try:
        return safetensors.numpy.load_file(weights_file)
    except safetensors.SafetensorError as error:
        raise CorruptWeightsError(
            f"{weights_file} is not a file of tensors: {error}. Nothing of it was used."
        ) from error


def _value(part: _Part, file: TensorFile) -> np.ndarray:
    """The tensor in the layout of Keras."""
    tensor = file.take(part.tensor, part.shape_in_file)
    kernel = tensor.T if part.transposed else tensor
    return kernel.reshape(part.variable.shape)
