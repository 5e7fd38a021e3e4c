"""The networks of Keras Applications, whose ImageNet weights Keras downloads.

Sizes, minimum sizes, pixel conventions, papers, files and hashes are those of the
source of Keras 3.15. Accuracies are from https://keras.io/api/applications, those of
MobileNetV3 from its Keras docstring. Licences of the weights: the Keras 2 documentation
gives them for VGG, ResNet, Inception, Xception, MobileNet 1 and 2, DenseNet and NASNet;
the others are those of the repositories that Keras took the weights from
(tensorflow/models, tensorflow/tpu, google/automl, facebookresearch/ConvNeXt).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from zoo.spec import (
    BGR_MEAN,
    IMAGENET_MEAN_STD,
    INSIDE,
    MINUS_ONE_TO_ONE,
    OUTPUT,
    BackboneSpec,
    Boundary,
    ImageInput,
    PixelConvention,
    WeightsFile,
)

_GOOGLE_STORAGE = "https://storage.googleapis.com"
_TENSORFLOW_STORAGE = f"{_GOOGLE_STORAGE}/tensorflow/keras-applications"
_SHA256_DIGITS = 64
_FINAL = Boundary("final", OUTPUT)
_DENSE_GROUP = 6


@dataclasses.dataclass(frozen=True)
class Family:
    """The facts that the networks of one paper share.

    `file` is the name under which Keras keeps the weights, with `{}` for the variant;
    `remote` is the name at `folder` where it differs.
    """

    pixels: PixelConvention
    license: str
    paper: str
    folder: str
    file: str
    remote: str | None = None
    size_px: int = 224
    minimum_size_px: int = 32
    weights_change_graph: bool = False


VGG = Family(
    pixels=BGR_MEAN,
    license="CC-BY-4.0",
    paper="https://arxiv.org/abs/1409.1556",
    folder=f"{_TENSORFLOW_STORAGE}/{{}}",
    file="{}_weights_tf_dim_ordering_tf_kernels_notop.h5",
)
RESNET = Family(
    pixels=BGR_MEAN,
    license="MIT",
    paper="https://arxiv.org/abs/1512.03385",
    folder=f"{_TENSORFLOW_STORAGE}/resnet",
    file="{}_weights_tf_dim_ordering_tf_kernels_notop.h5",
)
RESNET_V2 = Family(
    pixels=MINUS_ONE_TO_ONE,
    license="BSD-3-Clause",
    paper="https://arxiv.org/abs/1603.05027",
    folder=f"{_TENSORFLOW_STORAGE}/resnet",
    file="{}_weights_tf_dim_ordering_tf_kernels_notop.h5",
)
XCEPTION = Family(
    pixels=MINUS_ONE_TO_ONE,
    license="MIT",
    paper="https://arxiv.org/abs/1610.02357",
    folder=f"{_TENSORFLOW_STORAGE}/xception",
    file="{}_weights_tf_dim_ordering_tf_kernels_notop.h5",
    size_px=299,
    minimum_size_px=71,
)
INCEPTION_V3 = Family(
    pixels=MINUS_ONE_TO_ONE,
    license="Apache-2.0",
    paper="https://arxiv.org/abs/1512.00567",
    folder=f"{_TENSORFLOW_STORAGE}/inception_v3",
    file="{}_weights_tf_dim_ordering_tf_kernels_notop.h5",
    size_px=299,
    minimum_size_px=75,
)
INCEPTION_RESNET_V2 = Family(
    pixels=MINUS_ONE_TO_ONE,
    license="Apache-2.0",
    paper="https://arxiv.org/abs/1602.07261",
    folder=f"{_TENSORFLOW_STORAGE}/inception_resnet_v2",
    file="{}_weights_tf_dim_ordering_tf_kernels_notop.h5",
    size_px=299,
    minimum_size_px=75,
)
# MobileNet 1 and 2 have weights for several sizes. The row is the set for 224 px, which
# the loader reads at every size.
MOBILENET = Family(
    pixels=MINUS_ONE_TO_ONE,
    license="Apache-2.0",
    paper="https://arxiv.org/abs/1704.04861",
    folder=f"{_TENSORFLOW_STORAGE}/mobilenet",
    file="mobilenet_{}_tf_no_top.h5",
)
MOBILENET_V2 = Family(
    pixels=MINUS_ONE_TO_ONE,
    license="Apache-2.0",
    paper="https://arxiv.org/abs/1801.04381",
    folder=f"{_TENSORFLOW_STORAGE}/mobilenet_v2",
    file="mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{}_no_top.h5",
)
MOBILENET_V3 = Family(
    pixels=INSIDE,
    license="Apache-2.0",
    paper="https://arxiv.org/abs/1905.02244",
    folder=f"{_TENSORFLOW_STORAGE}/mobilenet_v3",
    file="weights_mobilenet_v3_{}_float_no_top_v2.h5",
)
DENSENET = Family(
    pixels=IMAGENET_MEAN_STD,
    license="BSD-3-Clause",
    paper="https://arxiv.org/abs/1608.06993",
    folder=f"{_TENSORFLOW_STORAGE}/densenet",
    file="{}_weights_tf_dim_ordering_tf_kernels_notop.h5",
)
NASNET = Family(
    pixels=MINUS_ONE_TO_ONE,
    license="Apache-2.0",
    paper="https://arxiv.org/abs/1707.07012",
    folder=f"{_TENSORFLOW_STORAGE}/nasnet",
    file="nasnet_{}_no_top.h5",
    remote="NASNet-{}-no-top.h5",
)
EFFICIENTNET = Family(
    pixels=INSIDE,
    license="Apache-2.0",
    paper="https://arxiv.org/abs/1905.11946",
    folder=f"{_GOOGLE_STORAGE}/keras-applications",
    file="efficientnet{}_notop.h5",
    # Keras inserts a second rescaling for these weights only:
    # https://github.com/tensorflow/tensorflow/issues/49930
    weights_change_graph=True,
)
EFFICIENTNET_V2 = Family(
    pixels=INSIDE,
    license="Apache-2.0",
    paper="https://arxiv.org/abs/2104.00298",
    folder=f"{_TENSORFLOW_STORAGE}/efficientnet_v2",
    file="efficientnetv2-{}_notop.h5",
)
CONVNEXT = Family(
    pixels=INSIDE,
    license="MIT",
    paper="https://arxiv.org/abs/2201.03545",
    folder=f"{_TENSORFLOW_STORAGE}/convnext",
    file="convnext_{}_notop.h5",
)


def _to_output(boundaries: Sequence[Boundary]) -> tuple[Boundary, ...]:
    """The same blocks where the last one ends the network."""
    return (*boundaries[:-1], Boundary(boundaries[-1].block, OUTPUT))


def _vgg() -> tuple[Boundary, ...]:
    return _to_output([Boundary(f"block{n}", f"block{n}_pool") for n in range(1, 6)])


def _residual(depths: Sequence[int]) -> tuple[Boundary, ...]:
    """The stem and the residual units, whose stages count from 2 as in the paper."""
    units = [
        f"conv{stage}_block{unit}"
        for stage, depth in enumerate(depths, start=2)
        for unit in range(1, depth + 1)
    ]
    stem = Boundary("stem", "pool1_pool")
    return (stem, *(Boundary(unit, f"{unit}_out") for unit in units))


def _xception() -> tuple[Boundary, ...]:
    """The stem, the 12 residual units, and the convolutions of the exit flow."""
    return (
        Boundary("stem", "block1_conv2_act"),
        *(Boundary(f"block{n + 1}", f"Add#{n}") for n in range(1, 13)),
        Boundary("block14", OUTPUT),
    )


def _inception_v3() -> tuple[Boundary, ...]:
    modules = [Boundary(f"mixed{n}", f"mixed{n}") for n in range(11)]
    return (Boundary("stem", "MaxPooling2D#2"), *_to_output(modules))


def _inception_resnet_v2() -> tuple[Boundary, ...]:
    def module(name: str) -> Boundary:
        return Boundary(name, name)

    def units(name: str, last: int) -> list[Boundary]:
        return [Boundary(f"{name}_{n}", f"{name}_{n}_ac") for n in range(1, last + 1)]

    return (
        Boundary("stem", "MaxPooling2D#2"),
        module("mixed_5b"),
        *units("block35", 10),
        module("mixed_6a"),
        *units("block17", 20),
        module("mixed_7a"),
        *units("block8", 9),
        # The last of the 40 units has no activation and ends with its scaled sum.
        Boundary("block8_10", "CustomScaleLayer#40"),
        _FINAL,
    )


def _mobilenet() -> tuple[Boundary, ...]:
    units = [Boundary(f"block{n}", f"conv_pw_{n}_relu") for n in range(1, 14)]
    return (Boundary("stem", "conv1_relu"), *_to_output(units))


def _mobilenet_v2() -> tuple[Boundary, ...]:
    """Units that change width or resolution have no sum and end at their projection."""
    without_sum = (1, 3, 6, 10, 13, 16)
    ends = [
        f"block_{n}_{'project_BN' if n in without_sum else 'add'}" for n in range(1, 17)
    ]
    return (
        Boundary("stem", "Conv1_relu"),
        Boundary("block0", "expanded_conv_project_BN"),
        *(Boundary(f"block{n}", end) for n, end in enumerate(ends, start=1)),
        _FINAL,
    )


def _mobilenet_v3(last: int, without_sum: Sequence[int]) -> tuple[Boundary, ...]:
    """Keras calls the first unit `expanded_conv` and the others `expanded_conv_n`."""
    prefixes = ["expanded_conv", *(f"expanded_conv_{n}" for n in range(1, last + 1))]
    return (
        Boundary("stem", "Activation#1"),
        *(
            Boundary(
                f"block{n}", f"{prefix}_{'project_bn' if n in without_sum else 'add'}"
            )
            for n, prefix in enumerate(prefixes)
        ),
        _FINAL,
    )


def _densenet(depths: Sequence[int]) -> tuple[Boundary, ...]:
    """The stem, groups of up to six dense layers, and the final normalisation.

    One dense layer adds 32 channels: a block each would make 201 layers 98 blocks. Six
    is the length of the first stage in all variants. The transition after a stage
    belongs to the last group before it.
    """
    blocks = [Boundary("stem", "pool1")]
    last_stage = len(depths) + 1
    for stage, depth in enumerate(depths, start=2):
        for group, first in enumerate(range(0, depth, _DENSE_GROUP), start=1):
            layer = min(first + _DENSE_GROUP, depth)
            closes_stage = layer == depth and stage < last_stage
            end = f"pool{stage}_pool" if closes_stage else None
            end = end or f"conv{stage}_block{layer}_concat"
            blocks.append(Boundary(f"conv{stage}_group{group}", end))
    return (*blocks, _FINAL)


def _nasnet(repeats: int) -> tuple[Boundary, ...]:
    """The cells, each ending at its concatenation; every cell reads the two before."""

    def normal(first: int) -> list[Boundary]:
        numbers = range(first, first + repeats)
        return [Boundary(f"normal_{n}", f"normal_concat_{n}") for n in numbers]

    def reduction(name: str) -> Boundary:
        return Boundary(name, f"reduction_concat_{name}")

    return (
        Boundary("stem", "stem_bn1"),
        reduction("stem_1"),
        reduction("stem_2"),
        *normal(0),
        reduction(f"reduce_{repeats}"),
        *normal(repeats + 1),
        reduction(f"reduce_{2 * repeats}"),
        *_to_output(normal(2 * repeats + 1)),
    )


def _efficientnet(
    depths: Sequence[int], *, first: str = "project_bn"
) -> tuple[Boundary, ...]:
    """The stem, the inverted-residual units, and the last convolution.

    The first unit of a stage has no sum and ends at its projection; `first` is where
    the very first unit ends.
    """
    blocks = [Boundary("stem", "stem_activation")]
    for stage, depth in enumerate(depths, start=1):
        for position in range(depth):
            name = f"block{stage}{chr(97 + position)}"
            end = "add" if position else first if stage == 1 else "project_bn"
            blocks.append(Boundary(name, f"{name}_{end}"))
    return (*blocks, _FINAL)


def _convnext(variant: str, depths: Sequence[int]) -> tuple[Boundary, ...]:
    """The stem, the residual units with the downsampling before them, and the norm."""
    units = [
        f"stage{stage}_block{unit}"
        for stage, depth in enumerate(depths)
        for unit in range(depth)
    ]
    return (
        Boundary("stem", f"convnext_{variant}_stem"),
        *(Boundary(unit, f"Add#{n}") for n, unit in enumerate(units, start=1)),
        _FINAL,
    )


def _row(
    name: str,
    handle: str,
    family: Family,
    variant: str,
    *,
    width: int,
    parameters: int,
    top1: float,
    digest: str | None,
    blocks: tuple[Boundary, ...],
    size_px: int | None = None,
) -> BackboneSpec:
    """A row; `digest` is the sha256 or md5 of the Keras source, if it has one."""
    folder = family.folder.format(variant)
    is_sha256 = digest is not None and len(digest) == _SHA256_DIGITS
    return BackboneSpec(
        name=name,
        source="applications",
        handle=handle,
        input=ImageInput(
            default_size_px=size_px or family.size_px,
            minimum_size_px=family.minimum_size_px,
            pixels=family.pixels,
        ),
        feature_width=width,
        parameters=parameters,
        blocks=blocks,
        license=family.license,
        paper=family.paper,
        imagenet_top1=top1,
        weights_change_graph=family.weights_change_graph,
        weights=WeightsFile(
            file_name=family.file.format(variant),
            license=family.license,
            url=f"{folder}/{(family.remote or family.file).format(variant)}",
            sha256=digest if is_sha256 else None,
            md5=None if is_sha256 else digest,
        ),
    )


# One network is three or four lines, so that neighbours can be compared.
# fmt: off
SPECS = (
    _row("vgg16", "VGG16", VGG, "vgg16",
         width=512, parameters=14_714_688, top1=0.713, blocks=_vgg(),
         digest="6d6bbae143d832006294945121d1f1fc"),
    _row("vgg19", "VGG19", VGG, "vgg19",
         width=512, parameters=20_024_384, top1=0.713, blocks=_vgg(),
         digest="253f8cb515780f3b799900260a226db6"),
    _row("resnet50", "ResNet50", RESNET, "resnet50",
         width=2048, parameters=23_587_712, top1=0.749,
         blocks=_to_output(_residual((3, 4, 6, 3))),
         digest="4d473c1dd8becc155b73f8504c6f6626"),
    _row("resnet101", "ResNet101", RESNET, "resnet101",
         width=2048, parameters=42_658_176, top1=0.764,
         blocks=_to_output(_residual((3, 4, 23, 3))),
         digest="88cf7a10940856eca736dc7b7e228a21"),
    _row("resnet152", "ResNet152", RESNET, "resnet152",
         width=2048, parameters=58_370_944, top1=0.766,
         blocks=_to_output(_residual((3, 8, 36, 3))),
         digest="ee4c566cf9a93f14d82f913c2dc6dd0c"),
    _row("resnet50_v2", "ResNet50V2", RESNET_V2, "resnet50v2",
         width=2048, parameters=23_564_800, top1=0.76,
         blocks=(*_residual((3, 4, 6, 3)), _FINAL),
         digest="fac2f116257151a9d068a22e544a4917"),
    _row("resnet101_v2", "ResNet101V2", RESNET_V2, "resnet101v2",
         width=2048, parameters=42_626_560, top1=0.772,
         blocks=(*_residual((3, 4, 23, 3)), _FINAL),
         digest="c0ed64b8031c3730f411d2eb4eea35b5"),
    _row("resnet152_v2", "ResNet152V2", RESNET_V2, "resnet152v2",
         width=2048, parameters=58_331_648, top1=0.78,
         blocks=(*_residual((3, 8, 36, 3)), _FINAL),
         digest="ed17cf2e0169df9d443503ef94b23b33"),
    _row("xception", "Xception", XCEPTION, "xception",
         width=2048, parameters=20_861_480, top1=0.79, blocks=_xception(),
         digest="b0042744bf5b25fce3cb969f33bebb97"),
    _row("inception_v3", "InceptionV3", INCEPTION_V3, "inception_v3",
         width=2048, parameters=21_802_784, top1=0.779, blocks=_inception_v3(),
         digest="bcbd6486424b2319ff4ef7d526e38f63"),
    _row("inception_resnet_v2", "InceptionResNetV2", INCEPTION_RESNET_V2,
         "inception_resnet_v2",
         width=1536, parameters=54_336_736, top1=0.803, blocks=_inception_resnet_v2(),
         digest="d19885ff4a710c122648d3b5c3b684e4"),
    _row("mobilenet", "MobileNet", MOBILENET, "1_0_224",
         width=1024, parameters=3_228_864, top1=0.704, blocks=_mobilenet(),
         digest=None),
    _row("mobilenet_v2", "MobileNetV2", MOBILENET_V2, "1.0_224",
         width=1280, parameters=2_257_984, top1=0.713, blocks=_mobilenet_v2(),
         digest=None),
    _row("mobilenet_v3_small", "MobileNetV3Small", MOBILENET_V3, "small_224_1.0",
         width=576, parameters=939_120, top1=0.681,
         blocks=_mobilenet_v3(10, without_sum=(0, 1, 3, 6, 8)),
         digest="d3e8ec802a04aa4fc771ee12a9a9b836"),
    _row("mobilenet_v3_large", "MobileNetV3Large", MOBILENET_V3, "large_224_1.0",
         width=960, parameters=2_996_352, top1=0.756,
         blocks=_mobilenet_v3(14, without_sum=(1, 3, 6, 10, 12)),
         digest="07fb09a5933dd0c8eaafa16978110389"),
    _row("densenet121", "DenseNet121", DENSENET, "densenet121",
         width=1024, parameters=7_037_504, top1=0.75, blocks=_densenet((6, 12, 24, 16)),
         digest="30ee3e1110167f948a6b9946edeeb738"),
    _row("densenet169", "DenseNet169", DENSENET, "densenet169",
         width=1664, parameters=12_642_880, top1=0.762,
         blocks=_densenet((6, 12, 32, 32)),
         digest="b8c4d4c20dd625c148057b9ff1c1176b"),
    _row("densenet201", "DenseNet201", DENSENET, "densenet201",
         width=1920, parameters=18_321_984, top1=0.773,
         blocks=_densenet((6, 12, 48, 32)),
         digest="c13680b51ded0fb44dff2d8f86ac8bb1"),
    _row("nasnet_mobile", "NASNetMobile", NASNET, "mobile",
         width=1056, parameters=4_269_716, top1=0.744, blocks=_nasnet(4),
         digest="1ed92395b5b598bdda52abe5c0dbfd63"),
    _row("nasnet_large", "NASNetLarge", NASNET, "large", size_px=331,
         width=4032, parameters=84_916_818, top1=0.825, blocks=_nasnet(6),
         digest="d81d89dc07e6e56530c4e77faddd61b5"),
    _row("efficientnet_b0", "EfficientNetB0", EFFICIENTNET, "b0",
         width=1280, parameters=4_049_571, top1=0.771,
         blocks=_efficientnet((1, 2, 2, 3, 3, 4, 1)),
         digest="50bc09e76180e00e4465e1a485ddc09d"),
    _row("efficientnet_b1", "EfficientNetB1", EFFICIENTNET, "b1", size_px=240,
         width=1280, parameters=6_575_239, top1=0.791,
         blocks=_efficientnet((2, 3, 3, 4, 4, 5, 2)),
         digest="74c4e6b3e1f6a1eea24c589628592432"),
    _row("efficientnet_b2", "EfficientNetB2", EFFICIENTNET, "b2", size_px=260,
         width=1408, parameters=7_768_569, top1=0.801,
         blocks=_efficientnet((2, 3, 3, 4, 4, 5, 2)),
         digest="111f8e2ac8aa800a7a99e3239f7bfb39"),
    _row("efficientnet_b3", "EfficientNetB3", EFFICIENTNET, "b3", size_px=300,
         width=1536, parameters=10_783_535, top1=0.816,
         blocks=_efficientnet((2, 3, 3, 5, 5, 6, 2)),
         digest="af6d107764bb5b1abb91932881670226"),
    _row("efficientnet_b4", "EfficientNetB4", EFFICIENTNET, "b4", size_px=380,
         width=1792, parameters=17_673_823, top1=0.829,
         blocks=_efficientnet((2, 4, 4, 6, 6, 8, 2)),
         digest="ebc24e6d6c33eaebbd558eafbeedf1ba"),
    _row("efficientnet_b5", "EfficientNetB5", EFFICIENTNET, "b5", size_px=456,
         width=2048, parameters=28_513_527, top1=0.836,
         blocks=_efficientnet((3, 5, 5, 7, 7, 9, 3)),
         digest="38879255a25d3c92d5e44e04ae6cec6f"),
    _row("efficientnet_b6", "EfficientNetB6", EFFICIENTNET, "b6", size_px=528,
         width=2304, parameters=40_960_143, top1=0.84,
         blocks=_efficientnet((3, 6, 6, 8, 8, 11, 3)),
         digest="9ecce42647a20130c1f39a5d4cb75743"),
    _row("efficientnet_b7", "EfficientNetB7", EFFICIENTNET, "b7", size_px=600,
         width=2560, parameters=64_097_687, top1=0.843,
         blocks=_efficientnet((4, 7, 7, 10, 10, 13, 4)),
         digest="cbcfe4450ddf6f3ad90b1b398090fe4a"),
    _row("efficientnet_v2_b0", "EfficientNetV2B0", EFFICIENTNET_V2, "b0",
         width=1280, parameters=5_919_312, top1=0.787,
         blocks=_efficientnet((1, 2, 2, 3, 5, 8), first="project_activation"),
         digest="893217f2bb855e2983157299931e43ff"),
    _row("efficientnet_v2_b1", "EfficientNetV2B1", EFFICIENTNET_V2, "b1", size_px=240,
         width=1280, parameters=6_931_124, top1=0.798,
         blocks=_efficientnet((2, 3, 3, 4, 6, 9), first="project_activation"),
         digest="0e80663031ca32d657f9caa404b6ec37"),
    _row("efficientnet_v2_b2", "EfficientNetV2B2", EFFICIENTNET_V2, "b2", size_px=260,
         width=1408, parameters=8_769_374, top1=0.805,
         blocks=_efficientnet((2, 3, 3, 4, 6, 10), first="project_activation"),
         digest="1dfe2e7a5d45b6632553a8961ea609eb"),
    _row("efficientnet_v2_b3", "EfficientNetV2B3", EFFICIENTNET_V2, "b3", size_px=300,
         width=1536, parameters=12_930_622, top1=0.82,
         blocks=_efficientnet((2, 3, 3, 5, 7, 12), first="project_activation"),
         digest="f6abf7b5849ac99a89b50dd3fd532856"),
    _row("efficientnet_v2_s", "EfficientNetV2S", EFFICIENTNET_V2, "s", size_px=384,
         width=1280, parameters=20_331_360, top1=0.839,
         blocks=_efficientnet((2, 4, 4, 6, 9, 15), first="add"),
         digest="af0682fb74e8c54910f2d4393339c070"),
    _row("efficientnet_v2_m", "EfficientNetV2M", EFFICIENTNET_V2, "m", size_px=480,
         width=1280, parameters=53_150_388, top1=0.853,
         blocks=_efficientnet((3, 5, 5, 7, 14, 18, 5), first="add"),
         digest="1b8dc055df72dde80d614482840fe342"),
    _row("efficientnet_v2_l", "EfficientNetV2L", EFFICIENTNET_V2, "l", size_px=480,
         width=1280, parameters=117_746_848, top1=0.857,
         blocks=_efficientnet((4, 7, 7, 10, 19, 25, 7), first="add"),
         digest="b0b66b5c863aef5b46e8608fe1711615"),
    _row("convnext_tiny", "ConvNeXtTiny", CONVNEXT, "tiny",
         width=768, parameters=27_820_128, top1=0.813,
         blocks=_convnext("tiny", (3, 3, 9, 3)),
         digest="d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1"),
    _row("convnext_small", "ConvNeXtSmall", CONVNEXT, "small",
         width=768, parameters=49_454_688, top1=0.823,
         blocks=_convnext("small", (3, 3, 27, 3)),
         digest="6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab"),
    _row("convnext_base", "ConvNeXtBase", CONVNEXT, "base",
         width=1024, parameters=87_566_464, top1=0.853,
         blocks=_convnext("base", (3, 3, 27, 3)),
         digest="40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45"),
    _row("convnext_large", "ConvNeXtLarge", CONVNEXT, "large",
         width=1536, parameters=196_230_336, top1=0.863,
         blocks=_convnext("large", (3, 3, 27, 3)),
         digest="96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd"),
    _row("convnext_xlarge", "ConvNeXtXLarge", CONVNEXT, "xlarge",
         width=2048, parameters=348_147_968, top1=0.867,
         blocks=_convnext("xlarge", (3, 3, 27, 3)),
         digest="de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05"),
)
# fmt: on
