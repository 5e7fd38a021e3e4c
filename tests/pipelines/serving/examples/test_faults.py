"""An example that is not valid has a reason that names what is wrong."""

import numpy as np
import pytest

from pipelines.serving.examples.faults import why_not_valid
from pipelines.serving.examples.images import PNG_SIGNATURE
from pipelines.serving.examples.inputs import InputSpec

IMAGE = InputSpec("image_bytes", "string")
TEXT = InputSpec("text", "string")
SERIES = InputSpec("series", "float32", (6, 2))
PIXELS = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)


@pytest.mark.parametrize(
    ("modality", "one", "reason"),
    [
        ("text", "", "the text is blank"),
        ("image", b"", "there are no bytes"),
        ("series", np.full((6, 2), np.nan), "every value of the series is missing"),
        (
            "series",
            np.where(np.arange(12).reshape(6, 2) == 3, np.inf, 1.0),
            "a value is inf at step 1, channel 1; 1 in all",
        ),
    ],
)
def test_invalid_example_has_a_reason(predictors, modality, one, reason):
    (found,) = predictors[modality].predict([one])
    assert (found.valid, found.label) == (False, "")
    assert found.reason.startswith(reason)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (PNG_SIGNATURE + bytes(32), "begins as PNG and cannot be decoded"),
        (b"\xff\xd8\xff", "begins as JPEG and cannot be decoded"),
        (b"<!doctype html>", "it looks like a page or SVG"),
        (b"\0\0\0\x18ftypheic", "it looks like HEIC or AVIF"),
        (b"II*\0....", "it looks like TIFF"),
        (b"a.jpg", r"it begins with b'a.jpg'"),
    ],
)
def test_kind_of_other_bytes_is_named(content, reason):
    assert reason in why_not_valid(content, IMAGE)


def test_blank_text_differs_from_broken_text():
    assert why_not_valid(b" \n", TEXT) == "the text is blank"
    assert why_not_valid(b"a\xff", TEXT).startswith("the text is not UTF-8")
