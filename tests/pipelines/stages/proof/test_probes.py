"""Examples made up to prove an export with: kinds that data may not have."""

import numpy as np
import pytest
from PIL import Image

from pipelines.data.splits import ImageArray, Series, Table, Texts
from pipelines.stages.proof.probes import probes_of
from zoo.spec import Column

SIZE = 16


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), np.uint8)


def test_probe_images_have_every_kind_and_fit_limit(pixels, tmp_path):
    most = 0.002
    probes = probes_of(ImageArray(pixels), pixels, tmp_path, maximum_megapixels=most)
    assert len(probes.names) == len(probes.split) >= 13
    for kind in ("mixture 1", "turned", "transparent", "grey PNG", "16 bits", "GIF"):
        assert any(kind in name for name in probes.names), kind
    images = [Image.open(path) for path in probes.split.inputs.paths]
    assert {image.format for image in images} >= {"JPEG", "PNG", "GIF", "BMP"}
    assert {image.mode for image in images} >= {"L", "RGB", "RGBA"}
    assert max(np.prod(image.size) for image in images) <= most * 1e6
    assert any(image.getexif().get(0x0112) == 6 for image in images)


def test_a_mixture_is_half_of_each(pixels, tmp_path):
    probes = probes_of(ImageArray(pixels), pixels, tmp_path, maximum_megapixels=1)
    mixed = np.asarray(Image.open(probes.split.inputs.paths[0]), float)
    halves = [(pixels[0].astype(float) + other) / 2 for other in pixels[1:]]
    assert min(np.abs(mixed - half).max() for half in halves) <= 1


def test_texts_are_long_loud_and_in_other_letters(tmp_path):
    values = np.array([b"a house", b"the sea"], object)
    probes = probes_of(Texts(values), values, tmp_path, maximum_megapixels=1)
    *mixed, long, capitals, other = probes.split.inputs.values
    assert mixed[-1] == b"a house the sea"
    assert len(long) >= 4000
    assert capitals == b"THE SEA"
    assert "漢字" in other.decode()


def test_series_are_doubled_and_backwards(tmp_path):
    read = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    probes = probes_of(Series(read), read, tmp_path, maximum_megapixels=1)
    *_, doubled, backwards = probes.split.inputs.values
    np.testing.assert_array_equal(doubled, 2 * read[0])
    np.testing.assert_array_equal(backwards, read[0][::-1])


def test_probes_of_rows_are_never_empty(tmp_path):
    read = np.array([[np.nan, 1], [2, np.nan]], np.float32)
    table = Table((Column("age"), Column("job", ("cook",))), read)
    probes = probes_of(table, read, tmp_path, maximum_megapixels=1)
    values = probes.split.inputs.values
    assert len(values) == len(probes.names) == 3
    assert not np.isnan(values).all(axis=1).any()
    assert np.isnan(values).any()
