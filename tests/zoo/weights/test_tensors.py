"""Tensors of a weight file are taken only if they fit."""

from pathlib import Path

import numpy as np
import pytest

from zoo.errors import CorruptWeightsError
from zoo.weights.tensors import TensorFile


@pytest.fixture
def file():
    return TensorFile(
        Path("weights.npz"), {"kernel": np.ones((2, 3)), "bias": np.ones(3)}
    )


def test_take_gives_the_tensor(file):
    assert file.take("kernel") is file.tensors["kernel"]
    assert file.take("bias", (3,)) is file.tensors["bias"]


@pytest.mark.parametrize(
    ("name", "shape", "sentence"),
    [
        ("scale", None, "weights.npz has no tensor 'scale'. .* nothing of it was used"),
        ("kernel", (3, 2), r"has shape \[2, 3\] for 'kernel', expected \[3, 2\]"),
    ],
)
def test_take_refuses_what_does_not_fit(file, name, shape, sentence):
    with pytest.raises(CorruptWeightsError, match=sentence):
        file.take(name, shape)


def test_unused_tensors_are_refused_by_name(file):
    file.refuse_unused(["kernel", "bias", "other"])
    with pytest.raises(CorruptWeightsError, match="has 1 tensors .* first is 'bias'"):
        file.refuse_unused(["kernel"])
