"""The chunks of a PNG before its picture, walked over in bounded steps."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from pipelines.data.images.headers import MOST_PARTS, Head

# Texts that may be compressed: each may take 8 MB when it is read.
MOST_TEXTS = 16
_MANY_TEXTS = rf"(\C*(zTXt|iTXt)){{{MOST_TEXTS + 1}}}\C*"
_SIGNATURE_BYTES = 8


@dataclasses.dataclass(frozen=True)
class Png:
    """The transparency of a PNG, and parts that would cost too much to read."""

    has_alpha: tf.Tensor
    has_too_many_parts: tf.Tensor
    has_too_many_texts: tf.Tensor


def png(encoded: tf.Tensor) -> Png:
    """The facts in the chunks of one PNG or of many.

    Transparency is an alpha channel, or colours that mean 'nothing here', in a chunk
    `tRNS` before the picture: https://www.w3.org/TR/png-3/#11tRNS.
    """
    total = tf.cast(tf.strings.length(encoded), tf.int64)

    def goes_on(ended: tf.Tensor, steps: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        return ~tf.reduce_all(ended) & (steps < MOST_PARTS)

    # An image whose walk has ended stays where it ended.
    def step(ended, steps, position, has_transparency):
        chunk = Head(encoded, 8, position)
        behind = tf.cast(position, tf.int64) + 12 + chunk.u32(0, little=False)
        has_transparency = chunk.is_at(4, tuple(b"tRNS"))
        ends = has_transparency | chunk.is_at(4, tuple(b"IDAT")) | (behind >= total)
        behind = tf.cast(tf.minimum(behind, total), tf.int32)
        return ends, steps + 1, tf.where(ends, position, behind), has_transparency

    start = tf.fill(tf.shape(encoded), _SIGNATURE_BYTES)
    none = start < 0
    ended, _, _, has_transparency = tf.while_loop(
        goes_on, step, (none, tf.constant(0), start, none)
    )
    colour_type = Head(encoded).u8(25)
    return Png(
        has_alpha=has_transparency | (colour_type == 4) | (colour_type == 6),
        has_too_many_parts=~ended,
        has_too_many_texts=tf.strings.regex_full_match(encoded, _MANY_TEXTS),
    )
