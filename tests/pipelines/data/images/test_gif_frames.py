"""The first frame of a GIF is found, cut out and read alone."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf
from PIL import Image

from pipelines.data.images.decode import decode
from tests.support.pictures import (
    animated,
    as_pillow_sees,
    encode,
    noise,
    transparent,
)


def test_an_animated_gif_is_its_first_frame() -> None:
    content = animated("GIF")
    found = decode(tf.constant(content)).numpy()
    assert (found == as_pillow_sees(content)).all()


FRAMES_IN_FRESH_PROCESS = """
import resource, sys
import tensorflow as tf
from pipelines.data.images.decode import decode
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
shape = decode(tf.io.read_file(sys.argv[1])).shape
print(*shape, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_gif_of_many_frames_costs_one(
    tmp_path: Path, fresh_process: Callable[..., subprocess.CompletedProcess]
) -> None:
    """Read as TensorFlow reads it, this one takes 600 MB."""
    frames = [Image.new("L", (2000, 2000), 255 * (i % 2)) for i in range(60)]
    path = tmp_path / "many.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert path.stat().st_size < 300_000
    ended = fresh_process(FRAMES_IN_FRESH_PROCESS, str(path), warm=True)
    *shape, more_kb = map(int, ended.stdout.split())
    assert shape == [2000, 2000, 3]
    assert more_kb < 150_000


@pytest.mark.parametrize("local_colours", [False, True])
def test_large_gif_is_cut_behind_first_frame(local_colours: bool) -> None:
    """Noise has bytes that look like the start of a frame, by chance."""
    first, second = (Image.fromarray(noise(400, 500, seed=seed)) for seed in range(2))
    frames = [first.quantize(256)]
    frames.append(second.quantize(palette=None if local_colours else frames[0]))
    for several in (frames[:1], frames):
        buffer = io.BytesIO()
        several[0].save(buffer, "GIF", save_all=True, append_images=several[1:])
        content = buffer.getvalue()
        found = decode(tf.constant(content)).numpy()
        assert (found == as_pillow_sees(content)).all()


def test_a_gif_with_transparency_is_refused() -> None:
    buffer = io.BytesIO()
    transparent("P").save(buffer, "GIF", transparency=3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="a GIF with transparency"):
        decode(tf.constant(buffer.getvalue()))
    opaque = encode(transparent("RGB").convert("P"), "GIF")
    assert decode(tf.constant(opaque)).shape == (20, 30, 3)
