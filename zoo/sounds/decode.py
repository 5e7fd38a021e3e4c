"""WAV files decoded in the graph: from bytes to samples of one channel.

`tf.audio.decode_wav` reads 16 bits alone and fails a batch for one bad file. Here the
table of chunks is read for all of a batch at once, and a bad file is said not to be
valid. Only the samples that are needed are decoded.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from zoo.sounds.resample import resampled
from zoo.sounds.wave_format import (
    EXTENSIBLE,
    HIGHEST_RATE_HZ,
    LOWEST_RATE_HZ,
    MOST_CHANNELS,
    MOST_CHUNKS,
    SAMPLE_KINDS,
    SHORTEST_SECONDS,
    UNKNOWN_SIZE,
)

_RIFF_BYTES, _CHUNK_BYTES, _FORMAT_BYTES = 12, 8, 26
_FLOAT_KINDS = tuple(n for n, (tag, _) in enumerate(SAMPLE_KINDS) if tag == 3)


class WaveHeaders(NamedTuple):
    """The headers of a batch of files, int32 `[batch]` each.

    Samples of `kind`, an index into `SAMPLE_KINDS`, begin at byte `start`: `frames` for
    each of `channels`, `rate_hz` a second. `valid` is bool; the rest of a file that is
    not valid are ones and zeros that can be decoded all the same.
    """

    start: tf.Tensor
    frames: tf.Tensor
    channels: tf.Tensor
    kind: tf.Tensor
    rate_hz: tf.Tensor
    valid: tf.Tensor


def headers(content: tf.Tensor) -> WaveHeaders:
    """The headers of files `[batch]`, of whatever bytes."""
    length = tf.cast(tf.strings.length(content), tf.int64)
    start = _part(content, tf.zeros_like(length), _RIFF_BYTES)
    is_wave = _is(start[:, :4], b"RIFF") & _is(start[:, 8:], b"WAVE")
    form_at, data_at, data_bytes = _chunks(content, length)
    form = _part(content, tf.maximum(form_at, 0), _FORMAT_BYTES)
    tag = _number(form, 0, 2)
    tag = tf.where(tag == EXTENSIBLE, _number(form, 24, 2), tag)
    channels, rate_hz, bits = (_number(form, *at) for at in ((2, 2), (4, 4), (14, 2)))
    kind = tf.fill(tf.shape(tag), tf.constant(-1, tf.int64))
    for code, (number, width) in enumerate(SAMPLE_KINDS):
        kind = tf.where(
            (tag == number) & (bits == width), tf.constant(code, tf.int64), kind
        )
    there = length - data_at
    data_bytes = tf.where(data_bytes >= UNKNOWN_SIZE, there, data_bytes)
    frame_bytes = tf.maximum(channels * bits // 8, 1)
    frames = data_bytes // frame_bytes
    shortest = tf.cast(rate_hz, tf.float64) * SHORTEST_SECONDS
    valid = (
        is_wave
        & (form_at >= 0)
        & (data_at >= 0)
        & (kind >= 0)
        & (channels >= 1)
        & (channels <= MOST_CHANNELS)
        & (rate_hz >= LOWEST_RATE_HZ)
        & (rate_hz <= HIGHEST_RATE_HZ)
        & (data_bytes <= there)
        & (tf.cast(frames, tf.float64) >= shortest)
    )

    def sound(values: tf.Tensor, otherwise: int) -> tf.Tensor:
        other = tf.constant(otherwise, tf.int64)
        return tf.cast(tf.where(valid, values, other), tf.int32)

    return WaveHeaders(
        start=sound(data_at, 0),
        frames=sound(frames, 0),
        channels=sound(channels, 1),
        kind=sound(kind, 1),
        rate_hz=sound(rate_hz, LOWEST_RATE_HZ),
        valid=valid,
    )


def _chunks(
    content: tf.Tensor, length: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Where the format and the samples lie, -1 if nowhere, and the bytes of samples."""
    nowhere = tf.fill(tf.shape(length), tf.constant(-1, tf.int64))

    def is_open(number, at, form_at, data_at, data_bytes):
        del data_bytes
        is_missing = (form_at < 0) | (data_at < 0)
        return (number < MOST_CHUNKS) & tf.reduce_any(is_missing & (at < length))

    def read(number, at, form_at, data_at, data_bytes):
        head = _part(content, at, _CHUNK_BYTES)
        size = _number(head, 4, 4)
        is_here = at + _CHUNK_BYTES <= length
        is_form = is_here & (form_at < 0) & _is(head[:, :4], b"fmt ")
        is_data = is_here & (data_at < 0) & _is(head[:, :4], b"data")
        inside = at + _CHUNK_BYTES
        return (
            number + 1,
            # Chunks of an odd size are padded.
            tf.minimum(inside + size + size % 2, length),
            tf.where(is_form, inside, form_at),
            tf.where(is_data, inside, data_at),
            tf.where(is_data, size, data_bytes),
        )

    first = tf.minimum(tf.constant(_RIFF_BYTES, tf.int64), length)
    start = (tf.constant(0), first, nowhere, nowhere, tf.zeros_like(nowhere))
    *_, form_at, data_at, data_bytes = tf.while_loop(is_open, read, start)
    return form_at, data_at, data_bytes


def _part(content: tf.Tensor, at: tf.Tensor, size: int) -> tf.Tensor:
    """Bytes from a place of each file, int64 `[batch, size]`; zeros beyond its end."""
    length = tf.cast(tf.strings.length(content), tf.int64)
    sizes = tf.fill(tf.shape(at), tf.constant(size, tf.int64))
    part = tf.strings.substr(content, tf.minimum(at, length), sizes)
    return tf.cast(tf.io.decode_raw(part, tf.uint8, fixed_length=size), tf.int64)


def _number(read: tf.Tensor, at: int, size: int) -> tf.Tensor:
    """An unsigned number, little end first, int64 `[batch]`."""
    powers = tf.constant([256**i for i in range(size)], tf.int64)
    return tf.reduce_sum(read[:, at : at + size] * powers, axis=1)


def _is(read: tf.Tensor, name: bytes) -> tf.Tensor:
    return tf.reduce_all(read == tf.constant(list(name), tf.int64), axis=1)


def samples(
    content: tf.Tensor, header: WaveHeaders, *, rate_hz: int, most: int
) -> tf.Tensor:
    """The middle of one sound in -1..1, float32 `[n]`, n from 1 to `most`.

    Channels are averaged, and NaN and infinity become 0.
    """
    own_rate = tf.cast(header.rate_hz, tf.int64)
    needed = tf.cast(-(-most * own_rate // rate_hz), tf.int32)
    taken = tf.minimum(header.frames, needed)
    first = (header.frames - taken) // 2
    x = _mixed(content, header, first, taken)
    x = tf.where(tf.math.is_finite(x), x, 0.0)
    return resampled(x, header.rate_hz, to_hz=rate_hz, most=most)


def is_finite(content: tf.Tensor, header: WaveHeaders) -> tf.Tensor:
    """False for one sound of floats that has NaN or infinity, a bool."""
    is_float = tf.reduce_any([tf.equal(header.kind, kind) for kind in _FLOAT_KINDS])

    def check() -> tf.Tensor:
        x = _mixed(content, header, tf.zeros_like(header.frames), header.frames)
        return tf.reduce_all(tf.math.is_finite(x))

    return tf.cond(is_float, check, lambda: tf.constant(True))


def _mixed(
    content: tf.Tensor, header: WaveHeaders, first: tf.Tensor, count: tf.Tensor
) -> tf.Tensor:
    """The mean of all channels of some samples of one sound, float32 `[count]`."""
    widths = tf.constant([bits // 8 for _, bits in SAMPLE_KINDS])
    frame_bytes = header.channels * widths[header.kind]
    start = header.start + first * frame_bytes
    raw = tf.strings.substr(content, start, count * frame_bytes)
    values = tf.switch_case(
        header.kind, [lambda read=read: read(raw) for read in _READERS]
    )
    return tf.reduce_mean(tf.reshape(values, [count, header.channels]), axis=1)


def _bytes(raw: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(raw, tf.uint8), tf.float32) / 128.0 - 1.0


def _words(raw: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(raw, tf.int16), tf.float32) / 2.0**15


def _three_bytes(raw: tf.Tensor) -> tf.Tensor:
    parts = tf.cast(tf.reshape(tf.io.decode_raw(raw, tf.uint8), [-1, 3]), tf.int32)
    value = parts[:, 0] + 256 * parts[:, 1] + 65_536 * parts[:, 2]
    signed = value - tf.where(value >= 2**23, 2**24, 0)
    return tf.cast(signed, tf.float32) / 2.0**23


def _long_words(raw: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(raw, tf.int32), tf.float32) / 2.0**31


def _floats(raw: tf.Tensor) -> tf.Tensor:
    return tf.io.decode_raw(raw, tf.float32)


def _doubles(raw: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(raw, tf.float64), tf.float32)


# In the order of `SAMPLE_KINDS`.
_READERS = (_bytes, _words, _three_bytes, _long_words, _floats, _doubles)
