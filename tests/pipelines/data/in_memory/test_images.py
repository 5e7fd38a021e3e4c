"""Images in the cells of a table, whatever holds them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pipelines.data.images.encoded import encoded_bytes
from pipelines.data.in_memory.images import images_of
from pipelines.errors import DataError

PICTURE = Image.new("RGB", (5, 4), (1, 2, 3))


def png() -> bytes:
    stream = io.BytesIO()
    PICTURE.save(stream, format="PNG")
    return stream.getvalue()


def test_bytes_and_pictures_are_the_same_images(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png())
    for cells in (
        [png(), png()],
        [{"bytes": png(), "path": None}] * 2,
        [PICTURE, PICTURE],
    ):
        found = images_of(cells, where="here")
        for i in range(2):
            with Image.open(io.BytesIO(encoded_bytes(found.images, i))) as image:
                assert np.array_equal(np.asarray(image), np.asarray(PICTURE))
    paths = images_of([{"bytes": None, "path": str(path)}], where="here")
    assert list(paths.images.paths) == [str(path)]


def test_encoded_images_are_gone_with_what_keeps_them():
    kept = images_of([png()], where="here")
    (shard,) = kept.images.shards
    assert encoded_bytes(kept.images, 0) == png()
    kept.keeps[0].cleanup()
    with pytest.raises(DataError, match="cannot be read"):
        encoded_bytes(kept.images, 0)
    assert shard


def test_arrays_of_one_size_are_stacked():
    cells = [np.zeros((4, 5, 3), np.uint8)] * 3
    assert images_of(cells, where="here").images.shape == (3, 4, 5, 3)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([png(), None], "Image 1 in here is missing, and image 0 bytes"),
        ([png(), float("nan")], "Image 1 in here is missing"),
        ([3, 4], "Image 0 in here is of the type int"),
        ([png(), "a.png"], "Image 1 in here is a path, and image 0 bytes"),
        ([np.zeros((4, 4)), np.zeros((4, 5))], "have 2 sizes"),
        (["there/is/none.png"], r"image 0 \(there/is/none.png\)"),
    ],
)
def test_cells_of_other_kinds_are_refused(cells, message):
    with pytest.raises(DataError, match=message):
        images_of(cells, where="here")


def test_file_that_is_there_twice_is_refused(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png())
    with pytest.raises(DataError, match="twice: images 0 and 1"):
        images_of([path, str(path)], where="here")
