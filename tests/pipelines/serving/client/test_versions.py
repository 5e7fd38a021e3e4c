"""A client reads every answer with the names of the version that gave it."""

import pytest

from pipelines.serving.client import versions
from pipelines.serving.client.versions import ModelVersion, Retryable, ServerError
from pipelines.serving.examples.inputs import InputSpec

TEXT = InputSpec("text", "string")
CATS = ModelVersion(3, TEXT, ("cat", "dog"))


def answer(label, *probabilities, valid=True):
    return {"label": label, "probabilities": probabilities, "valid": valid}


def test_answer_fits_classes_whose_likeliest_is_its_label():
    assert CATS.fits([answer(b"dog", 0.25, 0.75), answer("cat", 0.5, 0.5)])
    assert CATS.fits([answer("", 0.0, 0.0, valid=False)])
    for other in (
        answer("cat", 0.25, 0.75),
        answer("ant", 0.25, 0.75),
        answer("dog", 0.1, 0.7, 0.2),
    ):
        assert not CATS.fits([other])


def test_version_is_known_by_number_and_classes():
    assert CATS.is_of(versions.VersionId(3, CATS.digest))
    assert CATS.is_of(versions.VersionId(3))  # TensorFlow Serving says no more
    assert not CATS.is_of(versions.VersionId(4, CATS.digest))
    assert not CATS.is_of(versions.VersionId(3, "other"))


def failing(count: int, seconds: float | None = None):
    refusals = iter([Retryable(ServerError(503, "busy"), seconds)] * count)

    def once():
        refusal = next(refusals, None)
        if refusal is not None:
            raise refusal
        return "answer"

    return once


def test_busy_server_is_asked_again():
    import time

    deadline = time.monotonic() + 30
    assert versions.retried(deadline, 2, failing(2)) == "answer"
    with pytest.raises(ServerError, match="503: busy"):
        versions.retried(deadline, 1, failing(2))


def test_no_retry_begins_after_the_deadline():
    import time

    started = time.monotonic()
    with pytest.raises(ServerError, match="busy"):
        versions.retried(started + 1, 5, failing(1, seconds=10))
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("DT_FLOAT", "float32"), ("DT_STRING", "string"), ("DT_UINT8", "uint8")],
)
def test_input_spec_has_names_of_numpy(dtype, expected):
    spec = versions.input_spec_of("series", dtype, [-1, 6, -1])
    assert spec == InputSpec("series", expected, (6, None))
