"""Pretrained word vectors as a backbone: an embedding, from files of any layout.

Such vectors are published as GloVe (https://nlp.stanford.edu/pubs/glove.pdf), word2vec
(https://arxiv.org/abs/1301.3781) and fastText (https://arxiv.org/abs/1712.09405).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from zoo.errors import BackboneError
from zoo.graph.padding import blank_padding
from zoo.spec import (
    OUTPUT,
    BackboneSpec,
    Boundary,
    InputSize,
    TextInput,
    Tokenizer,
    WeightsFile,
)
from zoo.weights.vectors_file import WordVectors, read_word_vectors

Network = Callable[[BackboneSpec, keras.KerasTensor, Path | None], keras.KerasTensor]

_BLOCK = "embedding"
_USUAL_LENGTH_TOKENS = 64
_UNKNOWN_LICENSE = "NOASSERTION"


def network(
    spec: BackboneSpec, ids: keras.KerasTensor, weights_file: Path | None
) -> keras.KerasTensor:
    """The feature sequence `[batch, tokens, width]` with the vectors of `spec.handle`.

    Raises:
        BackboneError: if the file does not match the row.
    """
    return _network(read_word_vectors(Path(spec.handle)), spec, ids, weights_file)


def from_handle(
    handle: str | Path, _requested: InputSize
) -> tuple[BackboneSpec, Network]:
    """The row that describes a file of word vectors, and the network of its vectors.

    Raises:
        BackboneError: if it is not a file of word vectors; names the line.
    """
    path = Path(handle).absolute()
    words = read_word_vectors(path)
    count, width = words.vectors.shape
    spec = BackboneSpec(
        name="word_vectors",
        source="word_vectors",
        handle=str(path),
        input=TextInput(
            # Id 0 is padding.
            tokenizer=Tokenizer(
                kind="words",
                size=count + 1,
                vocabulary=WeightsFile(
                    file_name=path.name, license=_UNKNOWN_LICENSE, path=str(path)
                ),
            ),
            default_length_tokens=_USUAL_LENGTH_TOKENS,
        ),
        feature_width=width,
        parameters=(count + 1) * width,
        blocks=(Boundary(_BLOCK, OUTPUT),),
        license=_UNKNOWN_LICENSE,
        paper="",
        carries_weights=True,
    )
    return spec, functools.partial(_network, words)


def _network(
    words: WordVectors,
    spec: BackboneSpec,
    ids: keras.KerasTensor,
    weights_file: Path | None,
) -> keras.KerasTensor:
    count, width = words.vectors.shape
    tokenizer = spec.input.tokenizer if isinstance(spec.input, TextInput) else None
    if (width, count + 1) != (spec.feature_width, tokenizer and tokenizer.size):
        raise BackboneError(
            f"{spec.handle} has {count:,} words of width {width}, which is not what the"
            f" row '{spec.name}' says. It was changed, or is another file."
        )
    embedding = layers.Embedding(count + 1, width, name=_BLOCK)
    vectors = embedding(ids)
    embedding.embeddings.assign(np.concatenate([np.zeros((1, width)), words.vectors]))
    # Row 0 is padding: it neither gives anything nor learns.
    return blank_padding(vectors, ops.not_equal(ids, 0), name=f"{_BLOCK}_output")
