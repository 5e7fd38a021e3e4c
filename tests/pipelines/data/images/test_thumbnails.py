"""Thumbnails show what a person sees, or are missing."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from pipelines.data.images.thumbnails import as_jpeg, thumbnail
from pipelines.data.splits import ImageArray, ImageFiles, Texts
from tests.support.pictures import noise, photo


def test_thumbnail_keeps_the_shape_of_a_photo(tmp_path):
    path = tmp_path / "photo.jpg"
    photo(0, (400, 200)).save(path)
    assert thumbnail(ImageFiles([str(path)]), 0, size_px=96).size == (96, 48)


def test_small_image_stays_as_it_is():
    pixels = noise(28, 20)
    picture = thumbnail(ImageArray(pixels[np.newaxis]), 0, size_px=96)
    assert (np.asarray(picture) == pixels).all()


def test_broken_missing_and_huge_images_have_none(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    photo(0, (400, 200)).save(tmp_path / "large.png")
    names = ("broken.jpg", "gone.jpg", "large.png")
    paths = [str(tmp_path / name) for name in names]
    files = ImageFiles(paths, maximum_megapixels=0.01)
    assert [thumbnail(files, i, size_px=96) for i in range(3)] == [None] * 3
    assert thumbnail(ImageFiles(paths), 2, size_px=96) is not None
    assert thumbnail(Texts(np.array([b"words"], object)), 0, size_px=96) is None


def test_jpeg_opens_again():
    content = as_jpeg(photo(0), quality=70)
    assert Image.open(io.BytesIO(content)).size == photo(0).size
