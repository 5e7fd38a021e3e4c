"""What a client sends is read as in training, and bad images are isolated."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.data.images.decode import decode_and_resize
from pipelines.serving.requests import decode_batch

SIZE = 24
FORMATS = ["JPEG", "PNG", "GIF", "BMP", "WEBP"]


def _encoded(format_name: str, seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 30, 3)).astype("uint8")
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format_name)
    return stream.getvalue()


@pytest.fixture(scope="module")
def decode():
    spec = tf.TensorSpec([None], tf.string)
    return tf.function(lambda one: decode_batch(one, SIZE), input_signature=[spec])


@pytest.mark.parametrize("format_name", FORMATS)
def test_the_graph_decodes_what_training_decodes(decode, format_name):
    encoded = _encoded(format_name)
    pixels, valid = decode(tf.constant([encoded]))
    wanted = decode_and_resize(tf.constant(encoded), SIZE)
    np.testing.assert_array_equal(pixels[0], wanted)
    assert valid.numpy().tolist() == [True]


@pytest.mark.parametrize(
    "bad",
    [b"", b"text", _encoded("JPEG")[:200], _encoded("PNG")[:-30], b"\xff\xd8\xff"],
)
def test_a_bad_image_leaves_its_neighbours_alone(decode, bad):
    good = [_encoded("JPEG", seed) for seed in range(4)]
    alone, _ = decode(tf.constant(good))
    together, valid = decode(tf.constant([good[0], bad, *good[1:], bad]))
    assert valid.numpy().tolist() == [True, False, True, True, True, False]
    np.testing.assert_array_equal(together[0], alone[0])
    np.testing.assert_array_equal(together[2:5], alone[1:])
    assert together[1].numpy().max() == 0


@pytest.mark.parametrize("count", [0, 1, 2, 33])
def test_batches_of_any_size(decode, count):
    encoded = [_encoded("PNG", seed % 3) for seed in range(count)]
    pixels, valid = decode(tf.constant(encoded, tf.string))
    assert pixels.shape == (count, SIZE, SIZE, 3)
    assert valid.numpy().tolist() == [True] * count


def _odd(seed: int) -> bytes:
    """Bytes that begin like an image and are cut off, changed, or random."""
    rng = np.random.default_rng(seed)
    sound = np.frombuffer(_encoded(FORMATS[seed % len(FORMATS)]), np.uint8).copy()
    if seed % 3 == 0:
        return sound[: rng.integers(len(sound))].tobytes()
    if seed % 3 == 1:
        return sound[: rng.integers(5)].tobytes() + rng.bytes(rng.integers(200))
    sound[rng.integers(0, 64, 3)] = rng.integers(0, 256, 3)
    return sound.tobytes()


def test_any_bytes_are_read_as_in_training(decode):
    odd = [_odd(seed) for seed in range(300)]
    pixels, valid = decode(tf.constant(odd))
    assert 20 < np.count_nonzero(valid) < 200
    alone = tf.function(
        lambda one: decode_and_resize(one, SIZE),
        input_signature=[tf.TensorSpec([], tf.string)],
        autograph=False,
    )
    for one, found, is_valid in zip(odd, pixels, valid):
        try:
            wanted = alone(tf.constant(one))
        except tf.errors.InvalidArgumentError:
            assert not is_valid
        else:
            assert is_valid
            np.testing.assert_array_equal(found, wanted)
