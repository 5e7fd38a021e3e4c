"""What people give as examples: taken as what it is, or refused in words."""

import copy
import io
import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import pipelines
from pipelines.errors import ArtifactError, DataError
from pipelines.serving import given
from pipelines.serving.given import Takes
from tests.support import small_artifacts

IMAGE = Takes("image_bytes", "string")
TEXT = Takes("text", "string")
SERIES = Takes("series", "float32", (6, 2))
PIXELS = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)


def decoded(content: bytes) -> np.ndarray:
    return tf.io.decode_image(content).numpy()


@pytest.fixture(scope="module")
def predictors(tmp_path_factory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("small")
    return {
        modality: pipelines.load(
            small_artifacts.make(
                folder / modality / "1", ["cat", "dog"], modality=modality
            )
        )
        for modality in ("text", "image", "series")
    }


def png(pixels: np.ndarray, mode: str | None = None) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels, mode).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 1), (7, 5, 3), (7, 5, 4), (1, 1, 3)])
def test_an_array_of_bytes_is_an_image_without_loss(shape):
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    (content,) = given.made([pixels], IMAGE)
    found = decoded(content)
    np.testing.assert_array_equal(found.reshape(shape), pixels)


def test_an_image_may_come_in_many_ways(tmp_path):
    content = png(PIXELS)
    path = tmp_path / "a.png"
    path.write_bytes(content)
    written = io.BytesIO()
    written.write(content)  # and not wound back
    with path.open("rb") as opened:
        ways = [content, bytearray(content), memoryview(content), path, str(path)]
        made = given.made([*ways, opened, written], IMAGE)
        assert made == [content] * 7
    tensor = tf.constant(PIXELS)
    for way in (PIXELS, tensor, Image.fromarray(PIXELS), PIXELS[::-1][::-1]):
        np.testing.assert_array_equal(decoded(given.made([way], IMAGE)[0]), PIXELS)


def test_an_image_of_pillow_is_what_is_seen_of_it():
    upright = Image.fromarray(PIXELS)
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(stream, "PNG", exif=exif)
    turned = Image.open(io.BytesIO(stream.getvalue()))
    np.testing.assert_array_equal(decoded(given.made([turned], IMAGE)[0]), PIXELS)
    grey = Image.fromarray(PIXELS[..., 0])
    clear = upright.convert("P")
    clear.info["transparency"] = 0
    modes = {
        "L": (grey, 1),
        "1": (grey.convert("1"), 3),
        "P": (upright.convert("P"), 3),
        "P with a clear colour": (clear, 4),
        "LA": (grey.convert("LA"), 4),
        "RGBA": (upright.convert("RGBA"), 4),
        "CMYK": (upright.convert("CMYK"), 3),
    }
    for image, channels in modes.values():
        assert decoded(given.made([image], IMAGE)[0]).shape == (7, 5, channels)
    deep = Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257)
    found = tf.io.decode_png(given.made([deep], IMAGE)[0], dtype=tf.uint16).numpy()
    np.testing.assert_array_equal(found[..., 0], PIXELS[..., 0].astype(int) * 257)
    for mode in ("F", "I"):
        with pytest.raises(DataError, match="not from 0 to 255"):
            given.made([grey.convert(mode)], IMAGE)
    cut = Image.open(io.BytesIO(png(PIXELS)[:-40]))
    with pytest.raises(DataError, match="cannot be read"):
        given.made([cut], IMAGE)


@pytest.mark.parametrize(
    ("array", "advice"),
    [
        (PIXELS / np.float32(255), "np.round(255.0 * x).astype(np.uint8)"),
        (PIXELS.astype(np.float64), "np.round(x).astype(np.uint8)"),
        (PIXELS.astype(np.int64), "np.round(x).astype(np.uint8)"),
        (PIXELS > 9, "np.round(255.0 * x).astype(np.uint8)"),
    ],
)
def test_other_numbers_are_refused_with_advice_that_works(array, advice):
    batch = np.stack([array])
    for ask in (
        lambda: given.made([array], IMAGE),
        lambda: given.pixels(batch, (None, 7, 5, 3)),
    ):
        with pytest.raises(DataError) as refused:
            ask()
        assert f"uint8 from 0 to 255; {array.dtype.name} came" in str(refused.value)
        assert advice in str(refused.value)
    followed = eval(advice, {"np": np, "x": array})
    wanted = 255 * array if array.dtype == bool else PIXELS
    np.testing.assert_array_equal(followed, wanted)
    given.made([followed], IMAGE)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (PIXELS.astype(np.int64) + 256, "from 256 to 5"),
        (PIXELS.astype(np.float32) - 128, "as the training images were"),
        (PIXELS.astype(complex), "complex128 came"),
        (np.zeros((7, 5, 2), np.uint8), r"shape \[7, 5, 2\]"),
        (np.zeros((0, 5, 3), np.uint8), r"shape \[0, 5, 3\]"),
        (np.zeros((2, 7, 5, 3), np.uint8), r"shape \[2, 7, 5, 3\]"),
    ],
)
def test_arrays_that_are_no_image(array, message):
    with pytest.raises(DataError, match=message):
        given.made([array], IMAGE)


def test_pixels_are_of_the_shape_that_the_network_takes():
    wanted = (None, 7, 5, 3)
    given.pixels(np.zeros((0, 7, 5, 3), np.uint8), wanted)
    for shape in ((7, 5, 3), (1, 5, 7, 3), (1, 7, 5)):
        with pytest.raises(DataError, match=r"Pixels have shape \[None, 7, 5, 3\]"):
            given.pixels(np.zeros(shape, np.uint8), wanted)


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
def test_what_is_no_list_of_examples_is_refused(predictors, one):
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
def test_an_array_that_is_one_example_is_no_batch(predictors, modality, array):
    with pytest.raises(DataError, match="pass a list with it"):
        predictors[modality].predict(array)


def test_lists_arrays_and_whatever_can_be_counted_through_are_batches(predictors):
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
        ([[1, 2], [3]], DataError, "no array"),
        (np.zeros((5, 2)), ArtifactError, r"shape \(6, 2\).*shape \(5, 2\)"),
        ("a text", DataError, "must be of real numbers"),
    ],
)
def test_series_that_are_none(predictors, one, error, message):
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
def test_texts_that_are_none(predictors, one, message):
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
def test_images_that_are_none(predictors, one, message):
    with pytest.raises(DataError, match=message):
        predictors["image"].predict([one])


@pytest.mark.parametrize(
    ("modality", "one", "reason"),
    [
        ("text", "", "the text is blank"),
        ("image", b"", "there are no bytes"),
        ("series", np.full((6, 2), np.nan), "a value is nan at step 0, channel 0"),
        (
            "series",
            np.ma.masked_equal(np.arange(12.0).reshape(6, 2), 3),
            "a value is nan at step 1, channel 1; 1 in all",
        ),
    ],
)
def test_what_is_not_valid_has_a_reason(predictors, modality, one, reason):
    (found,) = predictors[modality].predict([one])
    assert (found.valid, found.label) == (False, "")
    assert found.reason.startswith(reason)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (png(PIXELS)[:40], "begins as PNG and cannot be decoded"),
        (b"\xff\xd8\xff", "begins as JPEG and cannot be decoded"),
        (b"<!doctype html>", "it looks like a page or SVG"),
        (b"\0\0\0\x18ftypheic", "it looks like HEIC or AVIF"),
        (b"II*\0....", "it looks like TIFF"),
        (b"a.jpg", r"it begins with b'a.jpg'"),
    ],
)
def test_bytes_that_are_no_image_are_told_apart(content, reason):
    assert reason in given.why_not_valid(content, IMAGE)


def test_texts_and_bytes_that_are_not_valid_are_told_apart():
    assert given.why_not_valid(b" \n", TEXT) == "the text is blank"
    assert given.why_not_valid(b"a\xff", TEXT).startswith("the text is no UTF-8")


def test_a_predictor_cannot_be_copied_and_says_what_to_do(predictors):
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match=r"load it there: pipelines.load\(path\)"):
            copied(predictors["text"])


def test_whatever_surrounds_the_call_an_artifact_is_loaded_as_it_is(predictors):
    path = predictors["text"].artifact.path
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    for surrounding in (strategy.scope, tf.Graph().as_default, tf.init_scope):
        with surrounding():
            loaded = pipelines.load(path)
        assert loaded.predict(["a"])[0].label == "dog"
    with strategy.scope():
        assert pipelines.load(path).predict(["a"])[0].label == "dog"
        assert predictors["text"].predict(["a"])[0].label == "dog"
    with tf.Graph().as_default(), pytest.raises(ArtifactError, match="tf.function"):
        loaded.predict(["a"])


def in_a_fork(work) -> str:
    """What a forked worker says of `work`, or that it hangs."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def run() -> None:
        try:
            theirs.send(str(work()))
        except Exception as error:  # noqa: BLE001 - it is said
            theirs.send(f"{type(error).__name__}: {error}")

    worker = context.Process(target=run)
    worker.start()
    try:
        return ours.recv() if ours.poll(20) else "it hangs"
    finally:
        worker.kill()
        worker.join()


def test_a_forked_worker_is_told_at_once_to_load_in_a_process_of_its_own(predictors):
    predictor = predictors["text"]
    for work in (
        lambda: predictor.predict(["a"]),
        lambda: predictor.features(["a"]),
        lambda: predictor.probabilities(["a"]),
        lambda: pipelines.load(predictor.artifact.path),
    ):
        said = in_a_fork(work)
        assert said.startswith("RuntimeError: This process was forked")
        assert "get_context('spawn')" in said
    assert predictor.predict(["a"])[0].label == "dog"
