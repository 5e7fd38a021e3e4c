import numpy as np
import pytest
from PIL import Image

from pipelines.data.one_class import read_class
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError


@pytest.fixture
def photos(tmp_path):
    """Three wolves and two bears in class folders."""
    for name, count in (("wolf", 3), ("bear", 2)):
        (tmp_path / name).mkdir()
        for i in range(count):
            pixels = np.random.default_rng(i + count).integers(0, 255, (8, 8, 3), "u1")
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    return tmp_path


def _read(folder, name, options=""):
    return read_class(DatasetRef.parse(f"dir:{folder}{options}"), name)


def test_read_class_takes_plain_folder_of_images(photos):
    examples, hashes = _read(photos / "wolf", "grey wolf")
    assert examples.class_names == ("grey wolf",)
    assert list(examples.names) == ["0.png", "1.png", "2.png"]
    assert len(set(hashes)) == 3


def test_read_class_takes_its_folder_of_several(photos):
    examples, _ = _read(photos, "bear")
    assert list(examples.names) == ["bear/0.png", "bear/1.png"]
    assert examples.labels.tolist() == [0, 0]


def test_read_class_names_the_classes_there_are(photos):
    with pytest.raises(DataError, match="'bear', 'wolf', and 'fox' is not among them"):
        _read(photos, "fox")


def test_read_class_names_bad_image(photos):
    (photos / "wolf" / "1.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"1\.png"):
        _read(photos / "wolf", "wolf")
    examples, _ = _read(photos / "wolf", "wolf", "?on_bad=skip&bad_limit=0.5")
    assert len(examples) == 2


def test_read_class_obeys_limit_on_pixels(photos):
    with pytest.raises(DataError, match="million pixels"):
        _read(photos / "wolf", "wolf", "?maximum_megapixels=0.00001")


@pytest.mark.parametrize("name", ["", " ", "a\nb"])
def test_read_class_refuses_odd_names(photos, name):
    with pytest.raises(DataError):
        _read(photos / "wolf", name)
