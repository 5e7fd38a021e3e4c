"""URLs are read as TensorFlow Serving reads them."""

import pytest

from pipelines.serving.server.errors import ServingError
from pipelines.serving.server.http import urls
from pipelines.serving.server.models.model import Target


@pytest.mark.parametrize(
    ("method", "path", "verb", "target"),
    [
        ("POST", "/v1/models/m:predict", "predict", Target("m")),
        ("POST", "/V1/Models/m:CLASSIFY", "classify", Target("m")),
        ("POST", "/v1/models/m/versions/07:regress", "regress", Target("m", 7)),
        ("POST", "/v1/models/m/labels/a:predict", "predict", Target("m", label="a")),
        ("GET", "/v1/models/m", "status", Target("m")),
        ("GET", "/v1/models/m/versions/3/metadata", "metadata", Target("m", 3)),
        ("GET", "/v1/models/a%2Fb%3A/metadata", "metadata", Target("a/b:")),
        ("POST", "/v2/models/m/infer", "infer", Target("m")),
        ("POST", "/v2/models/a%2Fb:c/versions/3/infer", "infer", Target("a/b:c", 3)),
        ("GET", "/v2/models/m", "model", Target("m")),
        ("GET", "/v2/models/m/versions/3/ready", "ready", Target("m", 3)),
    ],
)
def test_url_has_a_verb_and_a_target(method, path, verb, target):
    asked = urls.parse(method, path)
    assert (asked.verb, asked.target) == (verb, target)


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("GET", "/v1/models", "Missing model name"),
        ("PUT", "/v1/models/m", "Malformed request: PUT /v1/models/m"),
        ("POST", "/v1/models/m:guess", "Malformed request"),
        ("POST", "/v2/models/m", "Malformed request"),
        ("POST", "/v2/models/m/INFER", "Malformed request"),
        ("GET", "/v2/models/m/labels/a", "Malformed request"),
        ("GET", f"/v2/models/m/versions/{2**63}", "Failed to convert version"),
        ("POST", f"/v1/models/m/versions/{2**63}:predict", "Failed to convert version"),
    ],
)
def test_other_url_is_malformed(method, path, message):
    with pytest.raises(ServingError, match=message):
        urls.parse(method, path)
