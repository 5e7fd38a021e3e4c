"""Examples of references with labels, and of folders without classes."""

import numpy as np
import pytest
from PIL import Image

from pipelines.data.domains.unlabelled import read_all, read_unlabelled
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError


@pytest.fixture
def flat(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(5):
        pixels = rng.integers(0, 256, (9, 9, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    return DatasetRef.parse(f"dir:{tmp_path}?maximum_megapixels=7")


def test_flat_folder_is_one_class(flat):
    examples, hashes = read_unlabelled(flat, class_name="any")
    assert (len(examples), len(hashes)) == (5, 5)
    assert examples.class_names == ("any",)
    assert examples.inputs.maximum_megapixels == 7


def test_labels_of_a_reference_stay():
    ref = DatasetRef.parse("builtin:digits?limit=40")
    examples, _ = read_unlabelled(ref, class_name="any")
    assert len(examples) == 40
    assert len(examples.class_names) == 10


def test_labelled_data_need_classes(flat):
    with pytest.raises(DataError):
        read_all(flat)
