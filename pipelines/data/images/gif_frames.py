"""The first frame of a GIF, found and cut out in bounded steps."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from pipelines.data.images.headers import HEAD_BYTES, MOST_PARTS, Head

# Blocks of one length that follow each other are stepped over at once.
_RUN = 1024
_EXTENSION, _GRAPHIC_CONTROL, _FRAME, _END = 0x21, 0xF9, ord(","), b";"
_FRAME_BEHIND_ANOTHER = r"\C{13}\C*,\C*\x00,\C*"


@dataclasses.dataclass(frozen=True)
class Gif:
    """The first frame of a GIF, and if its parts would cost too much to read.

    `pixels` is the size of the frame, which may be larger than the header claims.
    """

    encoded: tf.Tensor
    pixels: tf.Tensor
    is_transparent: tf.Tensor
    has_too_many_parts: tf.Tensor


def gif(encoded: tf.Tensor) -> Gif:
    """A GIF that ends with its first frame, whose blocks are stepped over.

    TensorFlow reads all frames even if it is asked for one: 400 kB of them can take a
    gigabyte.
    """
    blocks = _Blocks(encoded)
    steps, frame, has_holes = _extensions(encoded, blocks)
    head = Head(encoded, HEAD_BYTES, frame)
    width, height = head.u16(5, little=True), head.u16(7, little=True)
    pixels = tf.cast(width, tf.int64) * tf.cast(height, tf.int64)
    # After too many steps, this is not a frame.
    pixels = tf.where(head.u8(0) == _FRAME, pixels, 0)
    # A frame follows a byte of zero, so most GIF with a single one show it at once.
    steps, first = tf.cond(
        (steps < MOST_PARTS)
        & (head.u8(0) == _FRAME)
        & tf.strings.regex_full_match(encoded, _FRAME_BEHIND_ANOTHER),
        lambda: _cut_behind_frame(encoded, blocks, steps, frame, head.u8(9)),
        lambda: (steps, encoded),
    )
    return Gif(
        encoded=first,
        pixels=pixels,
        is_transparent=has_holes,
        has_too_many_parts=steps >= MOST_PARTS,
    )


class _Blocks:
    """Blocks of a GIF: each begins with its length, and one of length zero is last."""

    def __init__(self, encoded: tf.Tensor) -> None:
        self._data = tf.io.decode_raw(encoded, tf.uint8)
        self._count = tf.size(self._data)

    def _at(self, position: tf.Tensor) -> tf.Tensor:
        inside = tf.clip_by_value(position, 0, tf.maximum(self._count - 1, 0))
        value = tf.cast(tf.gather(self._data, inside), tf.int32)
        return tf.where((position >= 0) & (position < self._count), value, 0)

    def behind(
        self, steps: tf.Tensor, position: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The steps, with its own added, and the position behind the blocks."""

        def goes_on(steps: tf.Tensor, block: tf.Tensor) -> tf.Tensor:
            return (self._at(block) > 0) & (steps < MOST_PARTS)

        def step(steps: tf.Tensor, block: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # All blocks of this length, usually every one but the last.
            length = self._at(block)
            lengths = self._at(block + (length + 1) * tf.range(_RUN))
            others = tf.concat([tf.where(lengths != length)[:, 0], [_RUN]], axis=0)
            return steps + 1, block + (length + 1) * tf.cast(others[0], tf.int32)

        steps, last = tf.while_loop(goes_on, step, (steps, position))
        return steps, last + 1


def _cut_behind_frame(
    encoded: tf.Tensor,
    blocks: _Blocks,
    steps: tf.Tensor,
    frame: tf.Tensor,
    flags: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The steps, and the GIF up to the end of its frame."""
    colours = tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)
    steps, end = blocks.behind(steps, frame + 10 + colours + 1)
    cut = tf.strings.join([tf.strings.substr(encoded, 0, end), _END])
    return steps, cut


def _extensions(
    encoded: tf.Tensor, blocks: _Blocks
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The steps to the first frame, its position, and if it has transparency."""
    flags = Head(encoded).u8(10)
    start = 13 + tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)

    def goes_on(steps: tf.Tensor, position: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        is_extension = Head(encoded, 1, position).u8(0) == _EXTENSION
        return is_extension & (steps < MOST_PARTS)

    def step(steps, position, is_transparent):
        head = Head(encoded, 4, position)
        is_control = head.u8(1) == _GRAPHIC_CONTROL
        has_holes = is_control & (head.u8(3) % 2 == 1)
        # One step for itself: an extension may have no blocks.
        steps, behind = blocks.behind(steps + 1, position + 2)
        return steps, behind, is_transparent | has_holes

    return tf.while_loop(goes_on, step, (tf.constant(0), start, tf.constant(False)))
