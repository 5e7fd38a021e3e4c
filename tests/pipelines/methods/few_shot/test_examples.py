import numpy as np
import pytest
from PIL import Image

from pipelines.errors import DataError
from pipelines.methods.few_shot.examples import (
    content_of,
    labelled,
    of_class,
    unlabelled,
)


def test_labelled_data_have_each_content_once(some):
    images, labels = some
    twice = np.concatenate([images, images[:1]]), np.append(labels, labels[0])
    with labelled(twice) as data:
        assert data.names == ("d0", "d1", "d2", "d3")
        assert len(data.labels) == len(set(data.contents)) == len(images)


def test_unlabelled_examples_keep_order_and_number(some):
    images = np.concatenate([some[0][:2], some[0][:1]])
    with unlabelled(images) as inputs:
        np.testing.assert_array_equal(inputs.pixels, images)


def test_files_of_a_class_are_read(tmp_path, digits):
    paths = [str(tmp_path / f"{i}.png") for i in range(3)]
    for path, image in zip(paths, digits["d5"]):
        Image.fromarray(image).save(path)
    for images in (paths, f"dir:{tmp_path}"):
        with of_class("five", images) as data:
            assert data.names == ("five",)
            assert len(data.contents) == 3


def test_an_example_has_one_content_in_any_form(tmp_path, digits):
    image = digits["d5"][0]
    path = tmp_path / "5.png"
    Image.fromarray(image).save(path)
    with content_of(str(path)) as of_file, content_of(path.read_bytes()) as of_bytes:
        assert of_file == of_bytes
    with content_of(image) as content, unlabelled(image[None]):
        assert len(content) == 64


def test_empty_and_endless_examples_are_refused():
    with pytest.raises(DataError, match="There are no examples"), unlabelled([]):
        pass
    with pytest.raises(DataError, match="have no length"), unlabelled(iter("ab")):
        pass
