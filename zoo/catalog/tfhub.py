"""Modules of TF Hub, whose archives are fetched when they are first used.

Facts are from the pages of the modules, which now redirect to Kaggle; their sources are
in https://github.com/tensorflow/tfhub.dev/tree/master/assets/docs. A page that names no
licence stands for Apache-2.0, and these name none:
https://github.com/tensorflow/hub/blob/master/docs/writing_documentation.md

Images are 0..1 for all of them. Pages count parameters with the classifier, if they do,
so that the rows say nothing; `zoo.build` counts. Where a page says that other sizes are
possible "within limits" the smallest is not known: the row starts at its own size, and
`zoo.build("tfhub", handle=..., input_size_px=...)` tries any.

Modules whose page contradicts the published network have no row, such as those of
EfficientNetV2-B2 and -B3: their pages give a feature width of 1280.
"""

from __future__ import annotations

from zoo.spec import OUTPUT, ZERO_TO_ONE, BackboneSpec, Boundary, ImageInput, TextInput

_HUB = "https://tfhub.dev"
_LICENSE = "Apache-2.0"
_MODULE = (Boundary("module", OUTPUT),)
_MOBILENET_V2 = "https://arxiv.org/abs/1801.04381"
_MOBILENET_V3 = "https://arxiv.org/abs/1905.02244"
_EFFICIENTNET_V2 = "https://arxiv.org/abs/2104.00298"
_SENTENCE_ENCODER = "https://arxiv.org/abs/1803.11175"
_NNLM = "http://www.jmlr.org/papers/volume3/bengio03a/bengio03a.pdf"


def _image(
    name: str,
    path: str,
    *,
    size_px: int,
    width: int,
    paper: str,
    top1: float | None = None,
    minimum_size_px: int | None = None,
) -> BackboneSpec:
    return BackboneSpec(
        name=f"hub_{name}",
        source="tfhub",
        handle=f"{_HUB}/{path}",
        input=ImageInput(size_px, minimum_size_px or size_px, ZERO_TO_ONE),
        feature_width=width,
        parameters=None,
        blocks=_MODULE,
        license=_LICENSE,
        paper=paper,
        imagenet_top1=top1,
        carries_weights=True,
    )


def _text(name: str, path: str, *, width: int, paper: str) -> BackboneSpec:
    """A module of sentences, `[batch]` strings, to vectors."""
    return BackboneSpec(
        name=f"hub_{name}",
        source="tfhub",
        handle=f"{_HUB}/{path}",
        input=TextInput(),
        feature_width=width,
        parameters=None,
        blocks=_MODULE,
        license=_LICENSE,
        paper=paper,
        carries_weights=True,
    )


def _slim(name: str) -> str:
    return f"google/imagenet/{name}/feature_vector/5"


def _efficientnet_v2(name: str) -> str:
    return f"google/imagenet/efficientnet_v2_{name}/feature_vector/2"


SPECS = (
    # Accuracy of the checkpoint that the page names:
    # https://github.com/tensorflow/models/blob/master/research/slim/nets/mobilenet
    _image(
        "mobilenet_v2",
        _slim("mobilenet_v2_100_224"),
        size_px=224,
        width=1280,
        paper=_MOBILENET_V2,
        top1=0.718,
    ),
    _image(
        "mobilenet_v3_small",
        _slim("mobilenet_v3_small_100_224"),
        size_px=224,
        width=1024,
        paper=_MOBILENET_V3,
        top1=0.675,
    ),
    _image(
        "mobilenet_v3_large",
        _slim("mobilenet_v3_large_100_224"),
        size_px=224,
        width=1280,
        paper=_MOBILENET_V3,
        top1=0.752,
    ),
    # Accuracies of TF-Slim's checkpoints, which the pages name, of ResNet at 299 px:
    # https://github.com/tensorflow/models/tree/master/research/slim#pre-trained-models
    _image(
        "inception_v3",
        _slim("inception_v3"),
        size_px=299,
        width=2048,
        paper="https://arxiv.org/abs/1512.00567",
        top1=0.780,
    ),
    _image(
        "resnet50_v2",
        _slim("resnet_v2_50"),
        size_px=224,
        width=2048,
        paper="https://arxiv.org/abs/1603.05027",
        top1=0.756,
    ),
    _image(
        "resnet50",
        "tensorflow/resnet_50/feature_vector/1",
        size_px=224,
        width=2048,
        paper="https://arxiv.org/abs/1512.03385",
    ),
    _image(
        "efficientnet_v2_b0",
        _efficientnet_v2("imagenet1k_b0"),
        size_px=224,
        width=1280,
        paper=_EFFICIENTNET_V2,
        top1=0.787,
    ),
    _image(
        "efficientnet_v2_b1",
        _efficientnet_v2("imagenet1k_b1"),
        size_px=240,
        width=1280,
        paper=_EFFICIENTNET_V2,
        top1=0.798,
    ),
    # Trained on ImageNet-21k; the next two also tuned on ImageNet-1k.
    _image(
        "efficientnet_v2_b0_21k",
        _efficientnet_v2("imagenet21k_b0"),
        size_px=224,
        width=1280,
        paper=_EFFICIENTNET_V2,
    ),
    _image(
        "efficientnet_v2_b0_21k_1k",
        _efficientnet_v2("imagenet21k_ft1k_b0"),
        size_px=224,
        width=1280,
        paper=_EFFICIENTNET_V2,
    ),
    _image(
        "efficientnet_v2_s_21k_1k",
        _efficientnet_v2("imagenet21k_ft1k_s"),
        size_px=384,
        width=1280,
        paper=_EFFICIENTNET_V2,
        top1=0.849,
    ),
    # Trained on ImageNet-21k. Any size of images, and 0..1: as in
    # https://github.com/google-research/big_transfer/blob/master/colabs
    _image(
        "bit_m_r50x1",
        "google/bit/m-r50x1/1",
        size_px=224,
        minimum_size_px=32,
        width=2048,
        paper="https://arxiv.org/abs/1912.11370",
    ),
    _text("nnlm_en_dim50", "google/nnlm-en-dim50/2", width=50, paper=_NNLM),
    # "Normalized" means that punctuation is removed before words are looked up.
    _text(
        "nnlm_en_dim50_normalized",
        "google/nnlm-en-dim50-with-normalization/2",
        width=50,
        paper=_NNLM,
    ),
    _text("nnlm_en_dim128", "google/nnlm-en-dim128/2", width=128, paper=_NNLM),
    _text(
        "nnlm_en_dim128_normalized",
        "google/nnlm-en-dim128-with-normalization/2",
        width=128,
        paper=_NNLM,
    ),
    _text(
        "gnews_swivel_20dim",
        "google/tf2-preview/gnews-swivel-20dim/1",
        width=20,
        paper="https://arxiv.org/abs/1602.02215",
    ),
    # About 1 GB, and 800 MB.
    _text(
        "universal_sentence_encoder",
        "google/universal-sentence-encoder/4",
        width=512,
        paper=_SENTENCE_ENCODER,
    ),
    _text(
        "universal_sentence_encoder_large",
        "google/universal-sentence-encoder-large/5",
        width=512,
        paper=_SENTENCE_ENCODER,
    ),
)
