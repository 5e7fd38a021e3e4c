"""Examples become small files and short values."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pipelines.data.sounds.reading import read_sounds
from pipelines.data.splits import ImageArray, ImageFiles, Series, Texts
from pipelines.stages.gallery.contents import write_content, write_heat
from tests.support.pictures import noise
from tests.support.tones import write_tones


def test_image_becomes_a_small_jpeg(tmp_path):
    images = ImageArray(noise(200, 300)[np.newaxis])
    assert write_content(tmp_path, images, 0, "test_0") == {"picture": "test_0.jpg"}
    with Image.open(tmp_path / "test_0.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (96, 64))


def test_image_that_broke_has_no_picture(tmp_path):
    assert write_content(tmp_path, ImageFiles(["/gone.jpg"]), 0, "test_0") == {}
    assert list(tmp_path.iterdir()) == []


def test_text_is_shortened(tmp_path):
    texts = Texts(np.array([b"short", "\u00e9".encode() * 400, b"\xff"], object))
    entries = [write_content(tmp_path, texts, i, "x")["text"] for i in range(3)]
    assert entries == ["short", "\u00e9" * 280 + "... (400 characters)", "\ufffd"]


def test_long_series_is_thinned_out(tmp_path):
    values = np.arange(2000, dtype=np.float32).reshape(1, 500, 4)
    (*lines,) = write_content(tmp_path, Series(values), 0, "x")["series"]
    assert [len(line) for line in lines] == [96, 96, 96]
    assert (lines[0][0], lines[0][-1]) == (0.0, 1996.0)


def test_sound_is_shown_by_its_outline(tmp_path):
    (path, *_) = sorted(write_tones(tmp_path, each=1).glob("low/*.wav"))
    (outline,) = write_content(tmp_path, read_sounds([str(path)]), 0, "x")["series"]
    assert len(outline) == 96
    assert 0.4 < max(outline) < 0.7


def test_heat_colours_the_hot_half(tmp_path):
    grey = np.full((1, 40, 60, 3), 128, np.uint8)
    write_content(tmp_path, ImageArray(grey), 0, "test_3")
    name = write_heat(tmp_path, "test_3.jpg", np.array([[0.0, 1.0]] * 2))
    assert name == "test_3_heat.jpg"
    with Image.open(tmp_path / name) as picture:
        assert picture.size == (60, 40)
        left, right = picture.getpixel((3, 20)), picture.getpixel((56, 20))
    assert left == pytest.approx((128, 128, 128), abs=12)
    assert right[0] > 190 > 110 > right[2]
