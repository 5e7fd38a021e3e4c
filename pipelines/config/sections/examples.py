"""Sections of the config on examples: how they are read and changed."""

import dataclasses

from pipelines.config.options import option


@dataclasses.dataclass(slots=True)
class InputConfig:
    """Reading of images."""

    cache_mib: int = option(
        1024,
        low=0,
        high=1_000_000,
        help="Memory for decoded images, in MiB; images beyond it are decoded in every"
        " epoch. 0 keeps none.",
    )


@dataclasses.dataclass(slots=True)
class AugmentConfig:
    """Changes to training images and series, in phases that train blocks."""

    strength: str = option(
        "auto",
        choices=("auto", "none", "light", "strong"),
        help="light flips, crops, changes colours, and mixes images; strong adds"
        " RandAugment. auto is light where a phase reads images in every epoch, and"
        " none where it trains on stored activations or from random weights. Series"
        " get jitter, scaling, warp and window, strong ones twice as much; auto is"
        " light where they train from random weights, and else none.",
    )
    flip: str = option(
        "auto",
        choices=("auto", "none", "horizontal", "both"),
        help="Mirrored images. auto is horizontal where the trained head is as good on"
        " mirrored validation images, so none for digits and letters.",
    )
    crop: float = option(
        0.7,
        low=0.05,
        high=1,
        help="Smallest share of the area that a random crop keeps.",
    )
    colour: float = option(
        0.1,
        low=0,
        high=0.9,
        help="Largest change of brightness, contrast and saturation.",
    )
    randaugment_operations: int = option(
        2,
        low=0,
        high=10,
        help="RandAugment operations for each image, with strength=strong.",
    )
    randaugment_strength: float = option(
        0.3,
        low=0,
        high=1,
        help="Strength of each RandAugment operation.",
    )
    mixup: float = option(
        0.1,
        low=0,
        high=1,
        help="Alpha of MixUp, which blends pairs of images; 0 turns it off.",
    )
    mixup_from_images: int = option(
        20_000,
        low=0,
        high=10**9,
        help="MixUp is used from this number of training images on.",
    )
    cutmix: float = option(
        0.0,
        low=0,
        high=1,
        help="Alpha of CutMix, which pastes a part of another image; 0 turns it off.",
    )
    jitter: float = option(
        0.03,
        low=0,
        high=1,
        help="Noise on series, in standard deviations of a channel; 0 turns it off.",
    )
    scaling: float = option(
        0.1,
        low=0,
        high=0.9,
        help="Largest change of the size of a series, along the series and by channel.",
    )
    warp: float = option(
        0.1,
        low=0,
        high=0.9,
        help="Largest change of the speed of a series, from one part to the next.",
    )
    window: float = option(
        0.9,
        low=0.05,
        high=1,
        help="Smallest share of its steps that a series keeps, stretched to all.",
    )
