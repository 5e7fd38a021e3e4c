"""Examples of any kind become what a signature takes, or are refused in words."""

import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.errors import ArtifactError, DataError
from pipelines.serving.examples.inputs import InputSpec

IMAGE = InputSpec("image_bytes", "string")
TEXT = InputSpec("text", "string")
SERIES = InputSpec("series", "float32", (6, 2))
PIXELS = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)


class Table:
    """As a table of pandas is: its iteration gives the names of its columns."""

    columns = ("text",)

    def __iter__(self):
        return iter(self.columns)


@pytest.mark.parametrize(
    "one",
    [
        "good",
        b"good",
        bytearray(b"good"),
        Path("a.png"),
        io.BytesIO(b"a"),
        Image.fromarray(PIXELS),
        np.array("good"),
        {"text": ["good"]},
        {"good"},
        Table(),
        7,
        None,
    ],
    ids=lambda one: type(one).__name__,
)
def test_single_example_is_refused(predictors, one):
    for predictor in predictors.values():
        for ask in (predictor.predict, predictor.features):
            with pytest.raises(DataError, match="pass a list"):
                ask(one)
    with pytest.raises(DataError, match="pass a list"):
        predictors["text"].probabilities(one)


@pytest.mark.parametrize(
    ("modality", "array"),
    [
        ("image", PIXELS),
        ("image", PIXELS[..., 0]),
        ("series", np.zeros((6, 2))),
        ("series", np.zeros(6)),
        ("text", np.array([["a", "b"]])),
    ],
)
def test_array_of_one_example_is_refused(predictors, modality, array):
    with pytest.raises(DataError, match="pass a list with it"):
        predictors[modality].predict(array)


def test_iterables_are_batches(predictors):
    text = predictors["text"]
    for texts in (
        ["a", "bb"],
        ("a", "bb"),
        np.array(["a", "bb"]),
        np.array(["a", "bb"], object),
        (one for one in ("a", "bb")),
        tf.constant(["a", "bb"]),
        [b"a", b"bb"],
    ):
        assert [one.label for one in text.predict(texts)] == ["dog", "cat"]
    np.testing.assert_allclose(
        text.probabilities(np.array(["a", "bb"])), [[0.25, 0.75], [0.75, 0.25]]
    )
    assert text.predict([]) == []
    images = predictors["image"]
    assert len(images.predict(np.stack([PIXELS, PIXELS]))) == 2
    series = predictors["series"]
    assert len(series.predict(np.zeros((3, 6, 2)))) == 3
    assert len(series.predict([[[0, 0]] * 6])) == 1


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, int, np.uint8])
def test_series_of_any_numbers_give_the_same(predictors, kind):
    one = np.ones((6, 2))
    predictor = predictors["series"]
    assert predictor.predict([one.astype(kind)])[0].label == "cat"
    found = predictor.probabilities(one[None].astype(kind))
    np.testing.assert_allclose(found, [[0.75, 0.25]])


@pytest.mark.parametrize(
    ("one", "error", "message"),
    [
        (np.full((6, 2), 1e300), DataError, r"1e\+300, which is beyond float32"),
        (np.full((6, 2), 10**40, object), DataError, "object came"),
        (np.full((6, 2), "1"), DataError, "must be of real numbers"),
        ([[1, 2], [3]], DataError, "not an array"),
        (np.zeros((5, 2)), ArtifactError, r"shape \(6, 2\).*shape \(5, 2\)"),
        ("a text", DataError, "must be of real numbers"),
    ],
)
def test_bad_series_is_refused(predictors, one, error, message):
    for ask in (predictors["series"].predict, predictors["series"].probabilities):
        with pytest.raises(error, match=message):
            ask([one])


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (None, "NoneType came where a text"),
        (float("nan"), "float came where a text"),
        (Path("mail.txt"), "Read the file first"),
        ("a\ud83d", "half of a surrogate pair at 1"),
        (["a"], "list came where a text"),
    ],
)
def test_bad_text_is_refused(predictors, one, message):
    with pytest.raises(DataError, match=message):
        predictors["text"].predict(["good", one])


@pytest.mark.parametrize(
    ("one", "message"),
    [
        ("no/such.jpg", "No such file.*path on this machine"),
        (Path("/"), "Is a directory"),
        ("a\0b", "cannot be read as a file"),
        (io.StringIO("text"), "mode 'rb'"),
        (7, "int came where an image"),
        (None, "NoneType came where an image"),
    ],
)
def test_bad_image_is_refused(predictors, one, message):
    with pytest.raises(DataError, match=message):
        predictors["image"].predict([one])
