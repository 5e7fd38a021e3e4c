"""Universal Sentence Encoder, multilingual, as a Keras functional model.

Convolutions over 2, 3 and 5 tokens, whose average goes through a small residual network
(https://arxiv.org/abs/1907.04307). The published network works on sixteen languages;
its weights come with an embedding of six bits per number, which is unpacked here.
"""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from zoo.catalog.text import USE_VARIANTS, UseVariant
from zoo.errors import CorruptWeightsError
from zoo.graph.padding import blank_padding, is_token
from zoo.spec import BackboneSpec
from zoo.weights.tensors import TensorFile

# The embedding lies in 17 parts: piece `n` is row `n // 17` of part `n % 17 + 1`.
_PARTS = tuple(f"q{number}" for number in range(1, 18))
_SCALES = ("scale", "lo")
_EPSILON = "eps"
# The number of bits that were kept of each number, which lie in whole bytes.
_NOT_READ = ("bits",)


@dataclasses.dataclass(frozen=True)
class _Part:
    """One weight of a layer, and the tensors of the file that fill it.

    Several lie next to each other on the last axis. A kernel of a convolution is
    `[tokens * in, out]` in the file.
    """

    tensors: tuple[str, ...]
    variable: keras.Variable


def network(
    spec: BackboneSpec, ids: keras.KerasTensor, weights_file: Path | None
) -> keras.KerasTensor:
    """The feature vector `[batch, 512]`, of length one.

    `ids` are the numbers of pieces plus one, and 0 is padding.
    """
    variant = USE_VARIANTS[spec.handle]
    embedding = layers.Embedding(variant.pieces + 1, variant.width, name="embedding")
    parts: list[_Part] = []
    x = blank_padding(embedding(ids), ops.not_equal(ids, 0), name="embedding_output")
    x = _convolve(variant, x, parts)
    x = _average(variant, x, parts)
    x = _transform(variant, x, parts)
    if weights_file:
        _fill(variant, embedding, parts, weights_file)
    return x


def _convolve(
    variant: UseVariant, x: keras.KerasTensor, parts: list[_Part]
) -> keras.KerasTensor:
    """The features of each token, alone and together with its neighbours."""
    mask = is_token(x)
    spans, inner = variant.spans, variant.inner_width
    project = layers.Dense(len(spans) * inner, name="ngrams_project")
    norm = layers.LayerNormalization(epsilon=variant.epsilon, name="ngrams_norm")
    y = blank_padding(norm(project(x)), mask, name="ngrams_input")
    for name, variable in (
        ("proj", project.kernel),
        ("proj_b", project.bias),
        ("ln_g", norm.gamma),
        ("ln_b", norm.beta),
    ):
        parts.append(_Part(tuple(f"{name}{span}" for span in spans), variable))
    branches = [x]
    for index, span in enumerate(spans):
        branch = y[:, :, index * inner : (index + 1) * inner]
        for number in (1, 2):
            name = f"ngrams{span}_{number}"
            convolution = layers.Conv1D(inner, span, activation="relu", name=name)
            # With an even span, more tokens are behind than before.
            before = (span - 1) // 2
            pad = layers.ZeroPadding1D((before, span - 1 - before), name=f"{name}_pad")
            seen = convolution(pad(branch))
            branch = layers.Add(name=f"{name}_add")([branch, seen])
            branch = blank_padding(branch, mask, name=f"{name}_output")
            parts.append(_Part((f"w{number}_{span}",), convolution.kernel))
            parts.append(_Part((f"b{number}_{span}",), convolution.bias))
        branches.append(branch)
    y = layers.Concatenate(name="ngrams_concat")(branches)
    norm = layers.LayerNormalization(epsilon=variant.epsilon, name="ngrams_norm_all")
    y = norm(y)
    parts += [_Part(("ln_g",), norm.gamma), _Part(("ln_b",), norm.beta)]
    return blank_padding(y, mask, name="ngrams_output")


def _average(
    variant: UseVariant, x: keras.KerasTensor, parts: list[_Part]
) -> keras.KerasTensor:
    """The sum over the tokens by the root of their number, as one vector."""
    count = ops.cast(ops.count_nonzero(is_token(x), axis=1), x.dtype)
    count = ops.maximum(count, 1)[:, None]
    dense = layers.Dense(variant.width, name="average_dense")
    mean = dense(ops.sum(x, axis=1) / count)
    parts += [_Part(("cnn_W",), dense.kernel), _Part(("cnn_b",), dense.bias)]
    return layers.Multiply(name="average_output")([mean, ops.sqrt(count)])


def _transform(
    variant: UseVariant, x: keras.KerasTensor, parts: list[_Part]
) -> keras.KerasTensor:
    """Two residual pairs of layers without biases."""

    def dense(inputs, name, tensor, *, width, activation=None):
        layer = layers.Dense(width, activation=activation, use_bias=False, name=name)
        outputs = layer(inputs)
        parts.append(_Part((tensor,), layer.kernel))
        return outputs

    hidden, width = variant.hidden_width, variant.width
    y = dense(x, "hidden_1", "d0", width=hidden, activation="relu")
    y = dense(y, "hidden_2", "d1", width=hidden)
    y = layers.Add(name="hidden_add")([dense(x, "hidden_skip", "p1", width=hidden), y])
    x = layers.ReLU(name="hidden_output")(y)
    y = dense(x, "output_1", "d2", width=width, activation="relu")
    y = dense(y, "output_2", "d3", width=width)
    y = layers.Add(name="output_add")([dense(x, "output_skip", "p3", width=width), y])
    y = layers.Activation("tanh", name="output_tanh")(y)
    return layers.UnitNormalization(name="output_unit")(y)


def _fill(
    variant: UseVariant,
    embedding: layers.Embedding,
    parts: list[_Part],
    weights_file: Path,
) -> None:
    """Sets every weight from the file, after all of them were seen to fit."""
    file = TensorFile(weights_file, _read(weights_file))
    values = [_value(part, file) for part in parts]
    table = _embedding(variant, file)
    used = {name for part in parts for name in part.tensors}
    file.refuse_unused({*used, *_PARTS, *_SCALES, _EPSILON, *_NOT_READ})
    embedding.embeddings.assign(table)
    for part, value in zip(parts, values):
        part.variable.assign(value)


def _read(weights_file: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(weights_file, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise CorruptWeightsError(
            f"{weights_file} is not a file of tensors: {error}. Nothing of it was used."
        ) from error


def _value(part: _Part, file: TensorFile) -> np.ndarray:
    """The tensor in the layout of Keras."""
    *inputs, outputs = part.variable.shape
    shape = (int(np.prod(inputs)),) if inputs else ()
    shape = (*shape, outputs // len(part.tensors))
    tensors = [file.take(name, shape) for name in part.tensors]
    return np.concatenate(tensors, axis=-1).reshape(part.variable.shape)


def _embedding(variant: UseVariant, file: TensorFile) -> np.ndarray:
    """The table `[pieces + 1, width]`; the first row is for padding."""
    rows = -(-variant.pieces // len(_PARTS))
    scale, low = (file.take(name, (len(_PARTS),)) for name in _SCALES)
    epsilon = float(file.take(_EPSILON, ()))
    if not np.isclose(epsilon, variant.epsilon, rtol=1e-6):
        raise CorruptWeightsError(
            f"{file.path} has {epsilon} for '{_EPSILON}', expected {variant.epsilon}."
            " It holds weights of another network; nothing of it was used."
        )
    table = np.zeros((1 + rows * len(_PARTS), variant.width), np.float32)
    for number, name in enumerate(_PARTS):
        packed = file.take(name, (rows, variant.width))
        table[1 + number :: len(_PARTS)] = packed * scale[number] + low[number]
    # The parts are of one size, so the last rows hold no pieces.
    return table[: variant.pieces + 1]
