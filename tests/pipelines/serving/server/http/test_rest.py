"""Routes beside the models, and answers to errors."""

import pytest

from pipelines.serving.server.errors import Code, ServingError
from pipelines.serving.server.http.rest import error_response


def test_health_metrics_and_other_pages(impatient):
    assert impatient.get("/healthz").json == {"status": "alive"}
    assert impatient.get("/readyz").json == {"status": "ready"}
    assert impatient.get("/monitoring/prometheus/metrics").status == 200
    answer = impatient.get("/index.html")
    assert answer.status == 404
    assert answer.error == (
        "There is no /index.html; models are below /v1/models and /v2/models."
    )


def test_preflight_needs_an_origin(impatient):
    answer = impatient.request("OPTIONS", "/v1/models/slow:predict")
    assert answer.status == 400
    assert "Origin header is missing" in answer.error


@pytest.mark.parametrize(
    ("code", "status", "header"),
    [
        (Code.RESOURCE_EXHAUSTED, None, ("retry-after", "1")),
        (Code.RESOURCE_EXHAUSTED, 413, ("connection", "close")),
        (Code.UNAUTHENTICATED, None, ("www-authenticate", "Bearer")),
    ],
)
def test_error_has_the_header_of_its_code(code, status, header):
    response = error_response(ServingError(code, "a sentence", http_status=status))
    assert response.body == b'{"error":"a sentence"}'
    assert header in response.headers.items()
