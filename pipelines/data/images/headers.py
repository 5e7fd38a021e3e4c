"""Headers of encoded images, read by TensorFlow ops.

In the graph, because serving must refuse and turn the same images as training. This
module reads what stands at fixed places; `jpeg_header`, `png_chunks` and `gif_frames`
walk over the parts of a file.
"""

from __future__ import annotations

import functools

import tensorflow as tf

# The fixed part of any header is shorter.
HEAD_BYTES = 64
# A file chooses the number of its parts, so a loop over them takes at most this many
# steps, and reports when that is not enough. Photographs have 5 to 30 parts before the
# picture; one with a depth map in its notes has 200, of 64 KiB each.
MOST_PARTS = 1024


class Head:
    """Bytes of encoded images from `start` on, as numbers; 0 beyond the end.

    Positions count from `start`, so the cost does not depend on the place. For a batch
    of images, positions must be Python numbers.
    """

    def __init__(
        self, encoded: tf.Tensor, count: int = HEAD_BYTES, start: tf.Tensor | int = 0
    ) -> None:
        inside = tf.minimum(start, tf.strings.length(encoded))
        part = tf.strings.substr(encoded, inside, tf.fill(tf.shape(inside), count))
        head = tf.io.decode_raw(part, tf.uint8, fixed_length=count)
        self.count = count
        behind = [[0, 0]] * (head.shape.rank - 1) + [[0, 1]]
        self._bytes = tf.pad(tf.cast(head, tf.int32), behind)

    @functools.cached_property
    def _numbers(self) -> list[tf.Tensor]:
        # One op for all bytes: each on its own would be four.
        return tf.unstack(self._bytes, axis=-1)

    def u8(self, position: tf.Tensor | int) -> tf.Tensor:
        """The byte at a position, int32."""
        if isinstance(position, int):
            return self._numbers[position]
        return tf.gather(self._bytes, tf.minimum(position, self.count))

    def u16(self, position: tf.Tensor | int, *, little: tf.Tensor | bool) -> tf.Tensor:
        """The number in two bytes, int32."""
        if isinstance(position, int) and isinstance(little, bool):
            low, high = (position, position + 1) if little else (position + 1, position)
            return self.u8(low) + 256 * self.u8(high)
        return self._number(self._some(position, 2), little)

    def u32(self, position: tf.Tensor | int, *, little: tf.Tensor | bool) -> tf.Tensor:
        """The number in four bytes, int64: it may be more than an int32 holds."""
        return self._number(tf.cast(self._some(position, 4), tf.int64), little)

    def is_at(self, position: int, text: tuple[int, ...]) -> tf.Tensor:
        """True where these bytes stand at the position."""
        some = self._some(position, len(text))
        return tf.reduce_all(some == tf.constant(text), axis=-1)

    def _some(self, position: tf.Tensor | int, count: int) -> tf.Tensor:
        """`count` bytes from each position on, in an axis of their own."""
        if isinstance(position, int):
            return self._bytes[..., position : position + count]
        return self.u8(position[..., tf.newaxis] + tf.range(count))

    def _number(self, some: tf.Tensor, little: tf.Tensor | bool) -> tf.Tensor:
        upwards = [256**i for i in range(some.shape[-1])]
        little_endian, big_endian = (
            tf.constant(weights, some.dtype) for weights in (upwards, upwards[::-1])
        )
        if isinstance(little, bool):
            weights = little_endian if little else big_endian
        else:
            weights = tf.where(little, little_endian, big_endian)
        return tf.reduce_sum(some * weights, axis=-1)


def png_pixels(head: Head) -> tf.Tensor:
    """Width times height, int64, as the header claims."""
    return head.u32(16, little=False) * head.u32(20, little=False)


def png_bits(head: Head) -> tf.Tensor:
    """Bits for each channel, or for each index into the palette."""
    return head.u8(24)


def png_is_grey(head: Head) -> tf.Tensor:
    """True for a PNG that is grey without an alpha channel."""
    return head.u8(25) == 0


def gif_pixels(head: Head) -> tf.Tensor:
    """Width times height, int64, as the header claims."""
    width, height = head.u16(6, little=True), head.u16(8, little=True)
    return tf.cast(width, tf.int64) * tf.cast(height, tf.int64)


def bmp_pixels(head: Head) -> tf.Tensor:
    """Width times height, int64, as the header claims; the height may be negative."""
    width = tf.bitcast(tf.cast(head.u32(18, little=True), tf.uint32), tf.int32)
    height = tf.bitcast(tf.cast(head.u32(22, little=True), tf.uint32), tf.int32)
    return tf.abs(tf.cast(width, tf.int64) * tf.cast(height, tf.int64))


def webp_pixels(head: Head) -> tf.Tensor:
    """Width times height, int64, as the header claims.

    For the three forms see https://www.rfc-editor.org/rfc/rfc9649.html.
    """
    extended = (
        1 + head.u16(24, little=True) + 65536 * head.u8(26),
        1 + head.u16(27, little=True) + 65536 * head.u8(29),
    )
    bits = head.u32(21, little=True)
    lossless = (
        1 + tf.cast(bits % 2**14, tf.int32),
        1 + tf.cast(bits // 2**14 % 2**14, tf.int32),
    )
    lossy = tuple(head.u16(i, little=True) % 2**14 for i in (26, 28))
    form = head.u8(15)  # the fourth letter of `VP8X`, `VP8L` and `VP8 `
    sides = [
        tf.where(form == ord("X"), x, tf.where(form == ord("L"), w, y))
        for x, w, y in zip(extended, lossless, lossy)
    ]
    return tf.cast(sides[0], tf.int64) * tf.cast(sides[1], tf.int64)


def webp_is_animated(head: Head) -> tf.Tensor:
    """True for a WebP with several frames, by its header."""
    return (head.u8(15) == ord("X")) & (head.u8(20) // 2 % 2 == 1)


def webp_has_alpha(head: Head) -> tf.Tensor:
    """True for a WebP with an alpha channel, by its header."""
    extended = (head.u8(15) == ord("X")) & (head.u8(20) // 16 % 2 == 1)
    lossless = (head.u8(15) == ord("L")) & (head.u8(24) // 16 % 2 == 1)
    return extended | lossless
