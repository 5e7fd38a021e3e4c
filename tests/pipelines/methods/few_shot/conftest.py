"""Images of digits, uint8 `[n, 8, 8, 3]`, and a classifier that knows four of them."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from pipelines.methods.few_shot.classifier import FewShotClassifier

PER_CLASS = 4


@pytest.fixture(scope="session")
def digits():
    """Images and labels by the name of the digit."""
    data = load_digits()
    pixels = np.repeat((data.images * 15).astype(np.uint8)[..., None], 3, -1)
    return {f"d{i}": pixels[data.target == i] for i in range(10)}


@pytest.fixture(scope="session")
def some(digits):
    """A few images of four classes, and their labels."""
    names = ["d0", "d1", "d2", "d3"]
    images = np.concatenate([digits[name][:PER_CLASS] for name in names])
    return images, np.repeat(names, PER_CLASS)


@pytest.fixture(scope="session")
def new_classifier():
    """Makes a classifier on a tiny backbone with the same random weights each time."""

    def make(**fields):
        fields = {"head": "lda", "reads": "all", **fields}
        return FewShotClassifier("tiny_image", weights="none", **fields)

    return make


@pytest.fixture(scope="session")
def _fitted(new_classifier, some):
    return new_classifier().fit(*some)


@pytest.fixture
def fitted(_fitted, some):
    """The classifier on four digits, with the state of a new fit."""
    kept, proof, contents = _fitted._kept, _fitted._proof, _fitted._proof_contents
    yield _fitted
    _fitted._proof, _fitted._proof_contents = proof, contents
    _fitted._solve(kept, head="lda")


@pytest.fixture
def clusters():
    """Rows of length 1 `[60, 12]` around five directions, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 12)
    rows = rng.normal(size=(5, 12))[labels] + 0.7 * rng.normal(size=(60, 12))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), labels
