"""Plans of how to decode images, made from their headers.

All that depends on the file is decided here: its kind, its orientation, whether it is
too large. No op fails, whatever the bytes are, so that the images of a request are
planned side by side; and the ops that decode have no loops and no branches.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

import tensorflow as tf

from pipelines.data.images import gif_frames, headers, jpeg_header, png_chunks
from pipelines.data.images.headers import MOST_PARTS, Head

# The beginning of a reason by us, and not by TensorFlow.
REFUSAL = "refused: "
# The fractions at which JPEG can be decoded, and how many times longer than wanted both
# sides stay, so that the filter of resizing still decides how the image looks.
JPEG_RATIOS = (1, 2, 4, 8)
_GAP = 2
# Decoders, by number: a JPEG at each ratio, as it is and turned; and the other kinds,
# which TensorFlow distinguishes.
READERS = (
    *(("JPEG", ratio, False) for ratio in JPEG_RATIOS),
    *(("JPEG", ratio, True) for ratio in JPEG_RATIOS),
    ("opaque", 1, False),
    ("on white", 1, False),
    ("BMP", 1, False),
)
_NUMBER = {name: number for number, (name, *_) in reversed(list(enumerate(READERS)))}
# What files of a kind begin with, and the decoders that they may need. What is of no
# kind goes to the first decoder of PNG, which says what kinds it knows.
_BEGINNINGS = {
    "JPEG": b"\xff\xd8\xff",
    "PNG": b"\x89PNG",
    "GIF": b"GIF8",
    "WebP": b"RIFF",
    "BMP": b"BM",
}
_DECODERS = {
    "JPEG": ("JPEG",),
    "PNG": ("opaque", "on white"),
    "GIF": ("opaque",),
    "WebP": ("opaque", "on white"),
    "BMP": ("BMP",),
}
_REASONS = {
    "kind": "an image of another kind than those expected here",
    "large": "an image of more than {maximum:g} million pixels, or of none",
    "segments": f"a JPEG of more than {MOST_PARTS} segments before its"
    " picture, which takes any amount of time; save it anew",
    "scans": f"a JPEG of more than {jpeg_header.MOST_SCANS} scans, each as costly as a"
    " picture; save it as an ordinary JPEG",
    "chunks": f"a PNG of more than {MOST_PARTS} chunks before its"
    " picture, which takes any amount of time; save it anew",
    "texts": f"a PNG of more than {png_chunks.MOST_TEXTS} texts, which may take any"
    " amount of memory; save it without them",
    "coarse": "a PNG of fewer than 256 greys with transparency, which TensorFlow reads"
    " wrongly; save it with an alpha channel",
    "blocks": f"a GIF of more than {MOST_PARTS} blocks before its"
    " picture, which takes any amount of time; save it anew",
    "holes": "a GIF with transparency, which TensorFlow shows as black; save it as PNG",
    "animated": "an animated WebP, which TensorFlow cannot read; save one frame of it",
    "palette": "a BMP with a palette, masks or compression, which TensorFlow reads"
    " wrongly; save it as PNG",
}


class Plan(NamedTuple):
    """Bytes to decode, the number of their reader, and the orientation of Exif.

    `refusal` is the number of a reason against it, or 0.
    """

    encoded: tf.Tensor
    reader: tf.Tensor
    orientation: tf.Tensor
    refusal: tf.Tensor


class Limits(NamedTuple):
    """The limit of pixels, and the size that an image will be resized to, if any."""

    maximum_megapixels: float
    wanted_px: int | None


def plan_of(encoded: tf.Tensor, limits: Limits, kinds: Collection[str]) -> Plan:
    """The plan of one image that is of one of these kinds, or of none.

    Raises:
        tf.errors.InvalidArgumentError: if it is a JPEG without a header.
    """
    planners: dict[str, Callable[[], Plan]] = {
        "JPEG": lambda: _jpeg(encoded, tf.image.extract_jpeg_shape(encoded), limits),
        "PNG": lambda: _png(encoded, limits),
        "GIF": lambda: _gif(encoded, limits),
        "WebP": lambda: _webp(encoded, limits),
        "BMP": lambda: _bmp(encoded, limits),
    }
    kind, chosen = _kind_of(encoded), [name for name in _BEGINNINGS if name in kinds]
    branches = [planners[name] for name in chosen]
    # Its reader says what kinds it knows, or that there is nothing.
    branches.append(lambda: _planned(encoded, "opaque", kind=kind < len(_BEGINNINGS)))
    places = {name: place for place, name in enumerate(chosen)}
    of_kinds = [places.get(name, len(chosen)) for name in (*_BEGINNINGS, "")]
    branch = tf.gather(tf.constant(of_kinds), kind)
    return Plan(*tf.switch_case(branch, [lambda p=p: tuple(p()) for p in branches]))


def numbers_of(kinds: Collection[str], limits: Limits) -> list[int]:
    """The numbers of the readers that plans of images of these kinds may name."""
    names = {"opaque", *(name for kind in kinds for name in _DECODERS[kind])}
    return [
        number
        for number, (name, ratio, _) in enumerate(READERS)
        if name in names and (ratio == 1 or limits.wanted_px is not None)
    ]


def plans_of(
    encoded: tf.Tensor,
    limits: Limits,
    *,
    jpeg_shapes: Callable[[tf.Tensor], tf.Tensor],
) -> tuple[tf.Tensor, Plan]:
    """The plans of many images, kind by kind, and where in `encoded` each stands.

    `jpeg_shapes` gives the heights, widths and channels of many JPEG, zeros without a
    header.
    """
    kinds = _kind_of(encoded)
    rows = [tf.where(kinds == kind)[:, 0] for kind in range(len(_BEGINNINGS) + 1)]
    jpegs, pngs, gifs, webps, bmps, others = (tf.gather(encoded, x) for x in rows)
    parts_of_kinds = [
        _each(
            (jpegs, jpeg_shapes(jpegs)), lambda image: _jpeg(image[0], image[1], limits)
        ),
        _png(pngs, limits),
        _each(gifs, lambda image: _gif(image, limits)),
        _webp(webps, limits),
        _bmp(bmps, limits),
        _planned(others, "opaque"),
    ]
    plans = Plan(*(tf.concat(parts, axis=0) for parts in zip(*parts_of_kinds)))
    return tf.cast(tf.concat(rows, axis=0), tf.int32), plans


def sentence_of(refusal: tf.Tensor, limits: Limits) -> tf.Tensor:
    """The sentence for the number of a reason; empty for 0."""
    maximum = limits.maximum_megapixels
    sentences = [REFUSAL + x.format(maximum=maximum) for x in _REASONS.values()]
    return tf.gather(tf.constant(["", *sentences]), refusal)


def _each(items: tf.Tensor | tuple[tf.Tensor, ...], planner: Callable) -> Plan:
    signature = Plan(
        *(tf.TensorSpec([], kind) for kind in (tf.string, tf.int32, tf.int32, tf.int32))
    )
    return tf.map_fn(planner, items, fn_output_signature=signature)


def _kind_of(encoded: tf.Tensor) -> tf.Tensor:
    """The number of the beginning of each in `_BEGINNINGS`, or their count."""
    kind = tf.fill(tf.shape(encoded), len(_BEGINNINGS))
    for number, beginning in enumerate(_BEGINNINGS.values()):
        begins = tf.strings.substr(encoded, 0, len(beginning)) == beginning
        kind = tf.where(begins, number, kind)
    return kind


def _planned(
    encoded: tf.Tensor,
    reader: str | tf.Tensor,
    orientation: tf.Tensor | int = 1,
    **reasons: tf.Tensor,
) -> Plan:
    """A plan, of one or many images, refused for the first reason that holds."""
    names, refusal = list(_REASONS), tf.constant(0)
    for name, holds in reversed(reasons.items()):
        refusal = tf.where(holds, 1 + names.index(name), refusal)
    number = _NUMBER[reader] if isinstance(reader, str) else reader
    same = tf.shape(encoded)
    return Plan(
        encoded,
        tf.broadcast_to(number, same),
        tf.broadcast_to(orientation, same),
        tf.broadcast_to(refusal, same),
    )


def _is_too_large(pixels: tf.Tensor, limits: Limits) -> tf.Tensor:
    return (pixels <= 0) | (pixels > round(limits.maximum_megapixels * 1e6))


def _jpeg(encoded: tf.Tensor, shape: tf.Tensor, limits: Limits) -> Plan:
    height, width = shape[0], shape[1]
    facts = jpeg_header.jpeg(encoded)
    ratio = tf.constant(0)
    if limits.wanted_px is not None:
        spare = tf.minimum(height, width) // (limits.wanted_px * _GAP)
        ratio = tf.reduce_sum(tf.cast(spare >= JPEG_RATIOS[1:], tf.int32))
    is_turned = tf.cast(facts.orientation != 1, tf.int32)
    return _planned(
        encoded,
        _NUMBER["JPEG"] + len(JPEG_RATIOS) * is_turned + ratio,
        facts.orientation,
        large=_is_too_large(
            tf.cast(height, tf.int64) * tf.cast(width, tf.int64), limits
        ),
        segments=facts.has_too_many_parts,
        scans=facts.has_too_many_scans,
    )


def _png(encoded: tf.Tensor, limits: Limits) -> Plan:
    head, facts = Head(encoded), png_chunks.png(encoded)
    is_coarse = headers.png_is_grey(head) & (headers.png_bits(head) < 8)
    return _planned(
        encoded,
        tf.where(facts.has_alpha, _NUMBER["on white"], _NUMBER["opaque"]),
        large=_is_too_large(headers.png_pixels(head), limits),
        chunks=facts.has_too_many_parts,
        texts=facts.has_too_many_texts,
        coarse=facts.has_alpha & is_coarse,
    )


def _gif(encoded: tf.Tensor, limits: Limits) -> Plan:
    head, facts = Head(encoded), gif_frames.gif(encoded)
    pixels = tf.maximum(headers.gif_pixels(head), facts.pixels)
    return _planned(
        facts.encoded,
        "opaque",
        large=_is_too_large(pixels, limits),
        blocks=facts.has_too_many_parts,
        holes=facts.is_transparent,
    )


def _webp(encoded: tf.Tensor, limits: Limits) -> Plan:
    head = Head(encoded)
    has_alpha = headers.webp_has_alpha(head)
    return _planned(
        encoded,
        tf.where(has_alpha, _NUMBER["on white"], _NUMBER["opaque"]),
        large=_is_too_large(headers.webp_pixels(head), limits),
        animated=headers.webp_is_animated(head),
    )


def _bmp(encoded: tf.Tensor, limits: Limits) -> Plan:
    head = Head(encoded)
    bits, compression = head.u16(28, little=True), head.u32(30, little=True)
    return _planned(
        encoded,
        "BMP",
        large=_is_too_large(headers.bmp_pixels(head), limits),
        palette=(compression != 0) | ((bits != 24) & (bits != 32)),
    )
