"""MiniLM as a Keras functional model, and its published sentence-encoder weights.

A small BERT (https://arxiv.org/abs/1810.04805) that was distilled from a large one
(https://arxiv.org/abs/2002.10957) and trained to tell sentences apart. The average of
its features over the tokens is the published sentence embedding before it is scaled to
length one.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo.catalog.text import MINILM_VARIANTS, BertVariant
from zoo.errors import CorruptWeightsError, MissingWeightsError
from zoo.spec import BackboneSpec

_NORM_EPSILON = 1e-12
_DROPOUT = 0.1
# `position_ids` counts from 0 to 511. The pooler was for guessing whether a sentence
# follows another; the published embedding does not use it.
_NOT_READ = ("embeddings.position_ids", "pooler.dense.bias", "pooler.dense.weight")
_NOTHING_USED = "It holds weights of another network; nothing of it was used."


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
    return _blank(x, ops.not_equal(ids, 0), "embeddings_output"), parts


def _attend(
    variant: BertVariant, x: keras.KerasTensor, number: int, parts: list[_Part]
) -> keras.KerasTensor:
    """Each token looks at all tokens of its text."""
    name, source = f"layer{number + 1}_attention", f"encoder.layer.{number}.attention"
    attention = layers.MultiHeadAttention(
        variant.heads, variant.width // variant.heads, dropout=_DROPOUT, name=name
    )
    y = attention(x, x, attention_mask=_is_token(x)[:, None, :])
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
    return _blank(y, _is_token(x), f"{name}_output")


def _transform(
    variant: BertVariant, x: keras.KerasTensor, number: int, parts: list[_Part]
) -> keras.KerasTensor:
    """Each token by itself."""
    name, source = f"layer{number + 1}", f"encoder.layer.{number}"
    widen = layers.Dense(variant.hidden_width, name=f"{name}_widen")
    narrow = layers.Dense(variant.width, name=f"{name}_narrow")
    y = widen(x)
    # The exact one, as Keras takes it unless told otherwise.
    y = layers.Activation("gelu", name=f"{name}_gelu")(y)
    y = narrow(y)
    inner, outer = variant.hidden_width, variant.width
    _take(widen, f"{source}.intermediate.dense", (inner, outer), parts)
    _take(narrow, f"{source}.output.dense", (outer, inner), parts)
    y = layers.Dropout(_DROPOUT, name=f"{name}_drop")(y)
    y = layers.Add(name=f"{name}_add")([x, y])
    y = _normalize(y, f"{name}_norm", f"{source}.output.LayerNorm", parts)
    return _blank(y, _is_token(x), f"{name}_output")


def _is_token(x: keras.KerasTensor) -> keras.KerasTensor:
    """Which positions are no padding.

    Every block ends in features that are zero at padding, and the next one reads the
    mask from them: so one tensor is all that crosses from block to block.
    """
    return ops.any(ops.not_equal(x, 0), axis=-1)


def _blank(
    x: keras.KerasTensor, is_token: keras.KerasTensor, name: str
) -> keras.KerasTensor:
    """Sets padding to exactly zero."""
    kept = ops.cast(is_token, x.dtype)[:, :, None]
    return layers.Multiply(name=name)([x, kept])


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
    """Sets every weight from the file, after every one of them was found to fit."""
    with _open(weights_file) as file:
        in_file = set(file.keys())
        values = [_read(part, file, in_file, weights_file) for part in parts]
    unused = sorted(in_file - {part.tensor for part in parts} - {*_NOT_READ})
    if unused:
        raise CorruptWeightsError(
            f"{weights_file} has {len(unused)} tensors that this network does not have,"
            f" the first is '{unused[0]}'. {_NOTHING_USED}"
        )
    for part, value in zip(parts, values):
        part.variable.assign(value)


def _open(weights_file: Path) -> Any:
    try:
        import safetensors
    except ImportError as error:
        raise MissingWeightsError(
            f"{weights_file.name} is read by a package that is not installed:"
            " pip install 'zootune[text]'"
        ) from error
    try:
        return safetensors.safe_open(weights_file, framework="np")
    except safetensors.SafetensorError as error:
        raise CorruptWeightsError(
            f"{weights_file} is no file of tensors: {error}. Nothing of it was used."
        ) from error


def _read(part: _Part, file: Any, in_file: set[str], weights_file: Path) -> np.ndarray:
    """The tensor in the layout of Keras."""
    if part.tensor not in in_file:
        raise CorruptWeightsError(
            f"{weights_file} has no tensor '{part.tensor}'. {_NOTHING_USED}"
        )
    found = file.get_tensor(part.tensor)
    if found.shape != part.shape_in_file:
        raise CorruptWeightsError(
            f"{weights_file} has shape {list(found.shape)} for '{part.tensor}',"
            f" expected {list(part.shape_in_file)}. {_NOTHING_USED}"
        )
    kernel = found.T if part.transposed else found
    return kernel.reshape(part.variable.shape)
