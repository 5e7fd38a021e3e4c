"""What the first bytes of an encoded image say, as TensorFlow ops.

In the graph, because what is served must refuse and turn what training did.
"""

from __future__ import annotations

import tensorflow as tf

# Enough for the segments before the picture; each is at most 64 KiB.
_HEAD_BYTES = 256 * 1024
_WHOLE = 2**31 - 1
_APP1, _START_OF_SCAN, _END = 0xE1, 0xDA, 0xD9
_EXIF = tuple(b"Exif\0\0")
_SAYS_EXIF = r"\C*Exif\x00\x00\C*"  # `\C` is any byte, `.` any UTF-8 character
_SAYS_FRAME_BEHIND_ANOTHER = r"\C{13}\C*,\C*\x00,\C*"
_EXTENSION, _GRAPHIC_CONTROL, _FRAME, _END_OF_GIF = 0x21, 0xF9, ord(","), b";"
_ORIENTATION_TAG = 0x0112
_LITTLE_ENDIAN = ord("I")
_MAXIMUM_TAGS = 512
_PNG_SIGNATURE_BYTES = 8


class Head:
    """The first bytes of an encoded image, read as numbers; 0 beyond the end."""

    def __init__(self, encoded: tf.Tensor, count: int = _HEAD_BYTES) -> None:
        head = tf.io.decode_raw(tf.strings.substr(encoded, 0, count), tf.uint8)
        self.count = tf.size(head)
        self._bytes = tf.concat([tf.cast(head, tf.int32), [0]], axis=0)

    def u8(self, position: tf.Tensor | int) -> tf.Tensor:
        inside = (position >= 0) & (position < self.count)
        return tf.gather(self._bytes, tf.where(inside, position, self.count))

    def u16(self, position: tf.Tensor | int, *, little: tf.Tensor | bool) -> tf.Tensor:
        first, second = self.u8(position), self.u8(position + 1)
        return tf.where(little, first + 256 * second, 256 * first + second)

    def u32(self, position: tf.Tensor | int, *, little: tf.Tensor | bool) -> tf.Tensor:
        """As int64: a header may claim more than an int32 holds."""
        first = tf.cast(self.u16(position, little=little), tf.int64)
        second = tf.cast(self.u16(position + 2, little=little), tf.int64)
        return tf.where(little, first + 65536 * second, 65536 * first + second)

    def is_at(self, position: tf.Tensor | int, text: tuple[int, ...]) -> tf.Tensor:
        same = [self.u8(position + i) == byte for i, byte in enumerate(text)]
        return tf.reduce_all(tf.stack(same))


def jpeg_orientation(encoded: tf.Tensor) -> tf.Tensor:
    """How a camera was held, 1 to 8, int32; 1, upright, where nothing is said.

    The Exif standard, section 4.6.4: https://www.cipa.jp/std/documents/e/DC-008-2012_E.pdf
    """
    # Most pictures on the web say nothing; to see that costs 100 times less.
    prefix = tf.strings.substr(encoded, 0, _HEAD_BYTES)
    return tf.cond(
        tf.strings.regex_full_match(prefix, _SAYS_EXIF),
        lambda: _in_segments(Head(encoded)),
        lambda: tf.constant(1),
    )


def _in_segments(head: Head) -> tf.Tensor:
    """The orientation in the Exif segment of a JPEG, or 1."""

    def is_before_picture(position: tf.Tensor, tiff: tf.Tensor) -> tf.Tensor:
        marker = head.u8(position + 1)
        is_segment = (head.u8(position) == 0xFF) & (marker != _START_OF_SCAN)
        return (tiff < 0) & is_segment & (marker != _END)

    def next_segment(position: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        is_exif = (head.u8(position + 1) == _APP1) & head.is_at(position + 4, _EXIF)
        # At least the length itself, so that a length of zero does not loop.
        length = tf.maximum(head.u16(position + 2, little=False), 2)
        return position + 2 + length, tf.where(is_exif, position + 10, -1)

    _, tiff = tf.while_loop(
        is_before_picture, next_segment, (tf.constant(2), tf.constant(-1))
    )
    return tf.cond(tiff < 0, lambda: tf.constant(1), lambda: _in_tags(head, tiff))


def _in_tags(head: Head, tiff: tf.Tensor) -> tf.Tensor:
    """The orientation among the tags of an Exif segment that begins at `tiff`."""
    little = head.u8(tiff) == _LITTLE_ENDIAN
    offset = tf.minimum(head.u32(tiff + 4, little=little), _HEAD_BYTES)
    directory = tiff + tf.cast(offset, tf.int32)
    count = tf.minimum(head.u16(directory, little=little), _MAXIMUM_TAGS)
    entries = directory + 2 + 12 * tf.range(count)
    is_it = head.u16(entries, little=little) == _ORIENTATION_TAG
    values = tf.boolean_mask(head.u16(entries + 8, little=little), is_it)
    value = tf.concat([values, [1]], axis=0)[0]
    return tf.where((value >= 1) & (value <= 8), value, 1)


def png_pixels(head: Head) -> tf.Tensor:
    """Width times height, int64, as the header claims."""
    return head.u32(16, little=False) * head.u32(20, little=False)


def png_has_alpha(head: Head) -> tf.Tensor:
    """Whether a PNG has an alpha channel, or colours that mean 'nothing here'.

    Those are in a chunk `tRNS`, which comes before the picture:
    https://www.w3.org/TR/png-3/#11tRNS.
    """

    def is_before_picture(position: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
        is_picture = head.is_at(position + 4, tuple(b"IDAT"))
        return (position + 8 < head.count) & ~is_picture & ~found

    def next_chunk(position: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        length = tf.minimum(head.u32(position, little=False), _HEAD_BYTES)
        found = head.is_at(position + 4, tuple(b"tRNS"))
        return position + 12 + tf.cast(length, tf.int32), found

    start = tf.constant(_PNG_SIGNATURE_BYTES)
    _, found = tf.while_loop(is_before_picture, next_chunk, (start, tf.constant(False)))
    colour_type = head.u8(25)
    return found | (colour_type == 4) | (colour_type == 6)


def png_bits(head: Head) -> tf.Tensor:
    """Bits for each channel, or for each index into the palette."""
    return head.u8(24)


def png_is_grey(head: Head) -> tf.Tensor:
    """Whether a PNG is grey without an alpha channel."""
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

    The three forms are those of https://www.rfc-editor.org/rfc/rfc9649.html.
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
    """Whether a WebP says that it has several frames."""
    return (head.u8(15) == ord("X")) & (head.u8(20) // 2 % 2 == 1)


def webp_has_alpha(head: Head) -> tf.Tensor:
    """Whether a WebP says that it has an alpha channel."""
    extended = (head.u8(15) == ord("X")) & (head.u8(20) // 16 % 2 == 1)
    lossless = (head.u8(15) == ord("L")) & (head.u8(24) // 16 % 2 == 1)
    return extended | lossless


def gif_first_frame(encoded: tf.Tensor) -> tf.Tensor:
    """A GIF without what follows its first frame.

    TensorFlow reads all frames even if it is asked for one: 400 kB of them can take a
    gigabyte.
    """
    # A frame follows a byte of zero, so most GIF that have one only say so at once.
    return tf.cond(
        tf.strings.regex_full_match(encoded, _SAYS_FRAME_BEHIND_ANOTHER),
        lambda: _cut_behind_first_frame(encoded),
        lambda: encoded,
    )


def _cut_behind_first_frame(encoded: tf.Tensor) -> tf.Tensor:
    head = Head(encoded, _WHOLE)
    frame = _gif_extensions(head)[0]
    flags = head.u8(frame + 9)
    colours = tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)
    end = _behind_blocks(head, frame + 10 + colours + 1)
    is_frame = head.u8(frame) == _FRAME
    cut = tf.strings.join([tf.strings.substr(encoded, 0, end), _END_OF_GIF])
    return tf.where(is_frame, cut, encoded)


def _behind_blocks(head: Head, position: tf.Tensor) -> tf.Tensor:
    """Where blocks that follow each other end, which is one of length zero."""
    last = tf.while_loop(
        lambda block: head.u8(block) > 0,
        lambda block: (block + 1 + head.u8(block),),
        (position,),
    )[0]
    return last + 1


def _gif_extensions(head: Head) -> tuple[tf.Tensor, tf.Tensor]:
    """What is before the first frame: where that begins, and whether it has holes."""
    flags = head.u8(10)
    start = 13 + tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)

    def is_extension(position: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        return head.u8(position) == _EXTENSION

    def next_extension(
        position: tf.Tensor, found: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        is_control = head.u8(position + 1) == _GRAPHIC_CONTROL
        has_holes = is_control & (head.u8(position + 3) % 2 == 1)
        return _behind_blocks(head, position + 2), found | has_holes

    return tf.while_loop(is_extension, next_extension, (start, tf.constant(False)))


def gif_is_transparent(head: Head) -> tf.Tensor:
    """Whether the first frame of a GIF has a colour that means 'nothing here'."""
    return _gif_extensions(head)[1]
