"""What an encoded image says before its picture, as TensorFlow ops.

In the graph, because what is served must refuse and turn what training did. A file
chooses how many parts it has, so whatever walks over them takes a bounded number of
steps, and says so where that is not enough.
"""

from __future__ import annotations

import dataclasses
import functools

import tensorflow as tf

# All that the fixed part of any header needs.
_HEAD_BYTES = 64
_WHOLE = 2**31 - 1
# Parts that are stepped over before a picture. Photographs have 5 to 30; one with a
# depth map in its notes has 200, of 64 KiB each.
MOST_PARTS = 1024
# Passes over a picture: 10 are usual, and each costs as much as the picture is large.
MOST_SCANS = 64
# Texts in a PNG that may be compressed: each may take 8 MB when it is read.
MOST_TEXTS = 16
# Blocks of one length that follow each other are stepped over at once.
_RUN = 1024
_APP1, _START_OF_SCAN, _START, _END = 0xE1, 0xDA, 0xD8, 0xD9
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_NO_FRAME = (0xC4, 0xC8, 0xCC)  # tables, between the markers of frames
_EXIF = tuple(b"Exif\0\0")
_SEGMENT_BYTES = 2**16
# Where a JPEG has neither of these, there is nothing to walk for: no Exif, and too few
# scans to matter. `\C` is any byte; of others than ASCII there is no other way to say
# one, so scans are known by what follows their marker: a length and components.
_QUICKLY_SEEN_BYTES = 256 * 1024
_SCAN = r"\x00(\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)"
_TO_BE_WALKED = rf"\C*(Exif\x00\x00|{_SCAN}(\C*{_SCAN}){{3}})\C*"
_SAYS_MANY_SCANS = rf"(\C*{_SCAN}){{{MOST_SCANS + 1}}}\C*"
_SAYS_MANY_TEXTS = rf"(\C*(zTXt|iTXt)){{{MOST_TEXTS + 1}}}\C*"
_SAYS_FRAME_BEHIND_ANOTHER = r"\C{13}\C*,\C*\x00,\C*"
_EXTENSION, _GRAPHIC_CONTROL, _FRAME, _END_OF_GIF = 0x21, 0xF9, ord(","), b";"
_ORIENTATION_TAG = 0x0112
_BYTE, _SHORT, _LONG = 1, 3, 4
_LITTLE_ENDIAN = ord("I")
_MAXIMUM_TAGS = 512
_PNG_SIGNATURE_BYTES = 8


class Head:
    """Some bytes of encoded images from `start` on, as numbers; 0 beyond the end.

    Positions count from `start`, so what is read costs the same wherever it stands. Of
    many images, all of one shape, only positions that are known can be read.
    """

    def __init__(
        self, encoded: tf.Tensor, count: int = _HEAD_BYTES, start: tf.Tensor | int = 0
    ) -> None:
        inside = tf.minimum(start, tf.strings.length(encoded))
        part = tf.strings.substr(encoded, inside, tf.fill(tf.shape(inside), count))
        head = tf.io.decode_raw(part, tf.uint8, fixed_length=count)
        self.count = count
        behind = [[0, 0]] * (head.shape.rank - 1) + [[0, 1]]
        self._bytes = tf.pad(tf.cast(head, tf.int32), behind)

    @functools.cached_property
    def _numbers(self) -> list[tf.Tensor]:
        # One op for all that is read: each of its own would be four.
        return tf.unstack(self._bytes, axis=-1)

    def u8(self, position: tf.Tensor | int) -> tf.Tensor:
        if isinstance(position, int):
            return self._numbers[position]
        return tf.gather(self._bytes, tf.minimum(position, self.count))

    def u16(self, position: tf.Tensor | int, *, little: tf.Tensor | bool) -> tf.Tensor:
        if isinstance(position, int) and isinstance(little, bool):
            low, high = (position, position + 1) if little else (position + 1, position)
            return self.u8(low) + 256 * self.u8(high)
        return self._number(self._some(position, 2), little)

    def u32(self, position: tf.Tensor | int, *, little: tf.Tensor | bool) -> tf.Tensor:
        """As int64: a header may claim more than an int32 holds."""
        return self._number(tf.cast(self._some(position, 4), tf.int64), little)

    def is_at(self, position: int, text: tuple[int, ...]) -> tf.Tensor:
        some = self._some(position, len(text))
        return tf.reduce_all(some == tf.constant(text), axis=-1)

    def _some(self, position: tf.Tensor | int, count: int) -> tf.Tensor:
        """So many bytes from each position on, in an axis of their own."""
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


@dataclasses.dataclass(frozen=True)
class Jpeg:
    """How a camera was held, 1 to 8, and what would cost too much to read."""

    orientation: tf.Tensor
    has_too_many_parts: tf.Tensor
    has_too_many_scans: tf.Tensor


def jpeg(encoded: tf.Tensor) -> Jpeg:
    """What a JPEG says before its picture; upright, 1, where it says nothing.

    The Exif standard, section 4.6.4: https://www.cipa.jp/std/documents/e/DC-008-2012_E.pdf
    """
    # Most pictures on the web say nothing; to see that costs 100 times less.
    first = tf.strings.substr(encoded, 0, _QUICKLY_SEEN_BYTES)
    is_to_be_walked = (
        tf.strings.length(encoded) > _QUICKLY_SEEN_BYTES
    ) | tf.strings.regex_full_match(first, _TO_BE_WALKED)
    return Jpeg(
        *tf.cond(
            is_to_be_walked,
            lambda: _in_segments(encoded),
            lambda: (tf.constant(1), tf.constant(False), tf.constant(False)),
        )
    )


def exif_orientation(exif: tf.Tensor) -> tf.Tensor:
    """How a camera was held, int32, by the tags of Exif: what a TIFF begins with."""
    head = Head(exif)
    little = head.u8(0) == _LITTLE_ENDIAN
    offset = tf.cast(tf.minimum(head.u32(4, little=little), _WHOLE), tf.int32)
    directory = Head(exif, 2 + 12 * _MAXIMUM_TAGS, offset)
    count = tf.minimum(directory.u16(0, little=little), _MAXIMUM_TAGS)
    entries = 2 + 12 * tf.range(count)
    kind = directory.u16(entries + 2, little=little)
    long = tf.cast(
        tf.minimum(directory.u32(entries + 8, little=little), _WHOLE), tf.int32
    )
    short = directory.u16(entries + 8, little=little)
    value = tf.where(
        kind == _LONG, long, tf.where(kind == _BYTE, directory.u8(entries + 8), short)
    )
    is_it = (directory.u16(entries, little=little) == _ORIENTATION_TAG) & (
        (kind == _BYTE) | (kind == _SHORT) | (kind == _LONG)
    )
    orientation = tf.concat([tf.boolean_mask(value, is_it), [1]], axis=0)[0]
    return tf.where((orientation >= 1) & (orientation <= 8), orientation, 1)


def _in_segments(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The orientation, whether there are too many segments, and too many scans."""
    none = tf.constant(-1)

    def goes_on(ended: tf.Tensor, steps: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        return ~ended & (steps < MOST_PARTS)

    def step(ended, steps, position, exif, several):
        head = Head(encoded, 16, position)
        marker = head.u8(1)
        is_fill = marker == 0xFF  # any number of them may precede a marker
        is_frame = (marker >= 0xC0) & (marker <= 0xCF) & ~_is_in(marker, _NO_FRAME)
        is_scan = marker == _START_OF_SCAN
        is_exif = (marker == _APP1) & head.is_at(4, _EXIF)
        # At least the length itself, so that a length of zero does not loop.
        length = tf.maximum(head.u16(2, little=False), 2)
        behind = 2 + tf.where(_is_alone(marker), 0, length)
        ended = (head.u8(0) != 0xFF) | is_scan | (marker == 0)
        ended |= (marker == _START) | (marker == _END)
        # Components that a frame has and a scan lacks come in another scan.
        components = tf.where(_is_in(marker, _PROGRESSIVE), _SEGMENT_BYTES, head.u8(9))
        several = tf.where(
            is_frame, components, tf.where(is_scan, several - head.u8(4), several)
        )
        forward = tf.where(is_fill, _fill_bytes(head), tf.where(ended, 0, behind))
        exif = tf.where((exif < 0) & is_exif & ~is_fill, position, exif)
        return ended & ~is_fill, steps + 1, position + forward, exif, several

    ended, _, scan, segment, several = tf.while_loop(
        goes_on, step, (tf.constant(False), tf.constant(0), tf.constant(2), none, none)
    )
    orientation = tf.cond(
        segment < 0,
        lambda: tf.constant(1),
        lambda: exif_orientation(_exif_of(encoded, segment)),
    )
    has_many = tf.cond(
        several > 0,
        lambda: tf.strings.regex_full_match(encoded, _SAYS_MANY_SCANS),
        lambda: tf.constant(False),
    )
    # Pictures in notes and films behind the end have such bytes too.
    has_too_many = tf.cond(
        has_many, lambda: _has_too_many_scans(encoded, scan), lambda: has_many
    )
    return orientation, ~ended, has_too_many


def _is_in(marker: tf.Tensor, markers: tuple[int, ...]) -> tf.Tensor:
    return tf.reduce_any(marker[..., tf.newaxis] == tf.constant(markers), axis=-1)


def _is_alone(marker: tf.Tensor) -> tf.Tensor:
    """Whether a marker has no segment."""
    return (marker == 1) | ((marker >= 0xD0) & (marker <= 0xD7))


def _fill_bytes(head: Head) -> tf.Tensor:
    """How many bytes of 0xFF can be left out before a marker."""
    is_fill = head.u8(tf.range(head.count)) == 0xFF
    others = tf.concat([tf.where(~is_fill)[:, 0], [head.count]], axis=0)
    return tf.cast(others[0], tf.int32) - 1


def _exif_of(encoded: tf.Tensor, segment: tf.Tensor) -> tf.Tensor:
    """The bytes of Exif of the segment at a position, and nothing behind it."""
    length = Head(encoded, 4, segment).u16(2, little=False)
    start = tf.minimum(segment + 10, tf.strings.length(encoded))
    return tf.strings.substr(encoded, start, tf.maximum(length - 8, 0))


def _has_too_many_scans(encoded: tf.Tensor, scan: tf.Tensor) -> tf.Tensor:
    """Whether a JPEG whose first scan is at a position goes over its picture for ever.

    A compressed picture has no markers but those of restarts, so whatever else looks
    like one is one, or is in a segment that is stepped over.
    """
    rest = tf.strings.substr(encoded, scan, _WHOLE)
    data = tf.io.decode_raw(rest, tf.uint8)
    follower = tf.concat([data[1:], tf.zeros([1], tf.uint8)], axis=0)
    is_restart = (follower >= 0xD0) & (follower <= 0xD7)
    is_marker = (data == 0xFF) & (follower != 0) & (follower != 0xFF) & ~is_restart
    end = tf.strings.length(rest)
    markers = tf.concat([tf.cast(tf.where(is_marker)[:, 0], tf.int32), [end]], axis=0)

    def goes_on(at: tf.Tensor, scans: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        return (at < end) & (scans <= MOST_SCANS) & (steps < MOST_PARTS)

    def step(at, scans, steps):
        head = Head(rest, 4, at)
        marker = head.u8(1)
        behind = tf.where(
            _is_alone(marker), 2, 2 + tf.maximum(head.u16(2, little=False), 2)
        )
        following = tf.searchsorted(markers, [at + behind])[0]
        at = tf.where(
            marker == _END, end, markers[tf.minimum(following, tf.size(markers) - 1)]
        )
        scans += tf.cast(marker == _START_OF_SCAN, tf.int32)
        return at, scans, steps + 1

    at, scans, _ = tf.while_loop(
        goes_on, step, (markers[0], tf.constant(0), tf.constant(0))
    )
    return (scans > MOST_SCANS) | (at < end)


def png_pixels(head: Head) -> tf.Tensor:
    """Width times height, int64, as the header claims."""
    return head.u32(16, little=False) * head.u32(20, little=False)


@dataclasses.dataclass(frozen=True)
class Png:
    """Whether a PNG can be seen through, and what would cost too much to read."""

    has_alpha: tf.Tensor
    has_too_many_parts: tf.Tensor
    has_too_many_texts: tf.Tensor


def png(encoded: tf.Tensor) -> Png:
    """What the chunks of PNG say, of one or of many.

    It has an alpha channel, or colours that mean 'nothing here'. Those are in a chunk
    `tRNS`, which comes before the picture: https://www.w3.org/TR/png-3/#11tRNS.
    """
    total = tf.cast(tf.strings.length(encoded), tf.int64)

    def goes_on(ended: tf.Tensor, steps: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        return ~tf.reduce_all(ended) & (steps < MOST_PARTS)

    # One that has ended stays where it ended, and so does what was found.
    def step(ended, steps, position, has_transparency):
        chunk = Head(encoded, 8, position)
        behind = tf.cast(position, tf.int64) + 12 + chunk.u32(0, little=False)
        has_transparency = chunk.is_at(4, tuple(b"tRNS"))
        ends = has_transparency | chunk.is_at(4, tuple(b"IDAT")) | (behind >= total)
        behind = tf.cast(tf.minimum(behind, total), tf.int32)
        return ends, steps + 1, tf.where(ends, position, behind), has_transparency

    start = tf.fill(tf.shape(encoded), _PNG_SIGNATURE_BYTES)
    none = start < 0
    ended, _, _, has_transparency = tf.while_loop(
        goes_on, step, (none, tf.constant(0), start, none)
    )
    colour_type = Head(encoded).u8(25)
    return Png(
        has_alpha=has_transparency | (colour_type == 4) | (colour_type == 6),
        has_too_many_parts=~ended,
        has_too_many_texts=tf.strings.regex_full_match(encoded, _SAYS_MANY_TEXTS),
    )


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


@dataclasses.dataclass(frozen=True)
class Gif:
    """The first frame of a GIF, and what would cost too much to read.

    `pixels` are those of the frame, which may be larger than the whole claims to be.
    """

    encoded: tf.Tensor
    pixels: tf.Tensor
    is_transparent: tf.Tensor
    has_too_many_parts: tf.Tensor


def gif(encoded: tf.Tensor) -> Gif:
    """A GIF without what follows its first frame, whose blocks are stepped over.

    TensorFlow reads all frames even if it is asked for one: 400 kB of them can take a
    gigabyte.
    """
    blocks = _Blocks(encoded)
    steps, frame, has_holes = _gif_extensions(encoded, blocks)
    head = Head(encoded, _HEAD_BYTES, frame)
    width, height = head.u16(5, little=True), head.u16(7, little=True)
    pixels = tf.cast(width, tf.int64) * tf.cast(height, tf.int64)
    # Where the way to it was too long, this is no frame.
    pixels = tf.where(head.u8(0) == _FRAME, pixels, 0)
    # A frame follows a byte of zero, so most GIF that have one only say so at once.
    steps, first = tf.cond(
        (steps < MOST_PARTS)
        & (head.u8(0) == _FRAME)
        & tf.strings.regex_full_match(encoded, _SAYS_FRAME_BEHIND_ANOTHER),
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
        """The steps with those that it took, and where the blocks end."""

        def goes_on(steps: tf.Tensor, block: tf.Tensor) -> tf.Tensor:
            return (self._at(block) > 0) & (steps < MOST_PARTS)

        def step(steps: tf.Tensor, block: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # As many as have this length: all of a usual picture, but for the last.
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
    cut = tf.strings.join([tf.strings.substr(encoded, 0, end), _END_OF_GIF])
    return steps, cut


def _gif_extensions(
    encoded: tf.Tensor, blocks: _Blocks
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """What is before the first frame: its steps, where that begins, and whether it has
    a colour that means 'nothing here'."""
    flags = Head(encoded).u8(10)
    start = 13 + tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)

    def goes_on(steps: tf.Tensor, position: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        is_extension = Head(encoded, 1, position).u8(0) == _EXTENSION
        return is_extension & (steps < MOST_PARTS)

    def step(steps, position, is_transparent):
        head = Head(encoded, 4, position)
        is_control = head.u8(1) == _GRAPHIC_CONTROL
        has_holes = is_control & (head.u8(3) % 2 == 1)
        # A step for itself: an extension may have no blocks.
        steps, behind = blocks.behind(steps + 1, position + 2)
        return steps, behind, is_transparent | has_holes

    return tf.while_loop(goes_on, step, (tf.constant(0), start, tf.constant(False)))
