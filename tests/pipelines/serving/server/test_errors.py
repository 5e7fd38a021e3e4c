"""Errors of requests have the codes of gRPC and the numbers of HTTP."""

import pytest

from pipelines.serving.server import errors
from pipelines.serving.server.errors import Code, ServingError


@pytest.mark.parametrize(
    ("code", "status", "retry"),
    [
        (Code.INVALID_ARGUMENT, 400, None),
        (Code.NOT_FOUND, 404, None),
        (Code.RESOURCE_EXHAUSTED, 429, 1),
        (Code.UNAVAILABLE, 503, 1),
        (Code.DEADLINE_EXCEEDED, 504, None),
        (Code.DATA_LOSS, 500, None),
    ],
)
def test_code_has_a_status_and_advice(code, status, retry):
    error = ServingError(code, "a sentence")
    assert (error.http_status, error.retry_after_seconds) == (status, retry)
    assert ServingError(code, "a sentence", http_status=413).http_status == 413


def test_error_without_trace_holds_no_frames():
    try:
        raise errors.invalid("a sentence") from ValueError("why")
    except ServingError as error:
        bare = error.without_trace()
    assert (bare.__traceback__, bare.__cause__, bare.__context__) == (None,) * 3
    assert bare.message == "a sentence"


def test_too_many_examples_are_413():
    errors.refuse_too_many(32_768)
    with pytest.raises(ServingError, match="32769 examples") as error:
        errors.refuse_too_many(32_769)
    assert error.value.http_status == 413
