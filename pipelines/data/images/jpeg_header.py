"""The orientation of a JPEG, and its parts and scans, counted in bounded steps."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from pipelines.data.images.headers import MOST_PARTS, Head

# Passes over a picture: 10 are usual, and each costs as much as the picture is large.
MOST_SCANS = 64
_WHOLE = 2**31 - 1
_APP1, _START_OF_SCAN, _START, _END = 0xE1, 0xDA, 0xD8, 0xD9
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_NO_FRAME = (0xC4, 0xC8, 0xCC)  # tables, between the markers of frames
_EXIF = tuple(b"Exif\0\0")
_SEGMENT_BYTES = 2**16
# A JPEG without either of these needs no walk: it has no Exif, and too few scans to
# matter. `\C` is any byte; bytes beyond ASCII cannot be written otherwise, so scans
# are known by the bytes behind their marker: a length and components.
_QUICKLY_SEEN_BYTES = 256 * 1024
_SCAN = r"\x00(\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)"
_TO_BE_WALKED = rf"\C*(Exif\x00\x00|{_SCAN}(\C*{_SCAN}){{3}})\C*"
_MANY_SCANS = rf"(\C*{_SCAN}){{{MOST_SCANS + 1}}}\C*"
_ORIENTATION_TAG = 0x0112
_BYTE, _SHORT, _LONG = 1, 3, 4
_LITTLE_ENDIAN = ord("I")
_MAXIMUM_TAGS = 512


@dataclasses.dataclass(frozen=True)
class Jpeg:
    """The orientation of Exif, 1 to 8, and parts that would cost too much to read."""

    orientation: tf.Tensor
    has_too_many_parts: tf.Tensor
    has_too_many_scans: tf.Tensor


def jpeg(encoded: tf.Tensor) -> Jpeg:
    """The facts before the picture of a JPEG; without Exif it is upright, 1.

    The Exif standard, section 4.6.4: https://www.cipa.jp/std/documents/e/DC-008-2012_E.pdf
    """
    # Most pictures on the web have no Exif; to see that costs 100 times less.
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
    """The orientation, int32, in the tags of Exif, which are the header of a TIFF."""
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
    """The orientation, and if there are too many segments, and too many scans."""
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
        # Components of the frame that this scan lacks come in another scan.
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
        lambda: tf.strings.regex_full_match(encoded, _MANY_SCANS),
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
    """True for a marker without a segment."""
    return (marker == 1) | ((marker >= 0xD0) & (marker <= 0xD7))


def _fill_bytes(head: Head) -> tf.Tensor:
    """The number of bytes of 0xFF to leave out before a marker."""
    is_fill = head.u8(tf.range(head.count)) == 0xFF
    others = tf.concat([tf.where(~is_fill)[:, 0], [head.count]], axis=0)
    return tf.cast(others[0], tf.int32) - 1


def _exif_of(encoded: tf.Tensor, segment: tf.Tensor) -> tf.Tensor:
    """The bytes of Exif of the segment at a position, and nothing behind it."""
    length = Head(encoded, 4, segment).u16(2, little=False)
    start = tf.minimum(segment + 10, tf.strings.length(encoded))
    return tf.strings.substr(encoded, start, tf.maximum(length - 8, 0))


def _has_too_many_scans(encoded: tf.Tensor, scan: tf.Tensor) -> tf.Tensor:
    """True for a JPEG with too many scans; the first is at the position `scan`.

    A compressed picture has no markers except restarts, so any other bytes of a marker
    are one, or lie in a segment that is stepped over.
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
