"""An artifact behind `zoo serve`: what it says, how it warms up, who asks it."""

import base64
import json
import time

import numpy as np
import pytest

import pipelines
from pipelines.serving.client import GrpcClient, RestClient, ServerError

pytestmark = pytest.mark.serving

PREDICT = "/v1/models/digits:predict"


def b64(content: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(content).decode()}


@pytest.fixture(scope="session")
def predictor(artifact):
    return pipelines.load(artifact)


@pytest.fixture(scope="session", params=[RestClient, GrpcClient])
def client(request, served_artifact):
    if request.param is RestClient:
        address = f"http://127.0.0.1:{served_artifact.rest_port}"
    else:
        address = served_artifact.grpc_address
    return request.param(address, model="digits")


@pytest.mark.parametrize("count", [0, 1, 3, 8, 40])
def test_clients_get_what_the_artifact_says_in_process(
    client, predictor, photos, count
):
    asked = [photos[i % len(photos)] for i in range(count)]
    found, wanted = client.predict(asked), predictor.predict(asked)
    assert len(found) == count
    for one, other in zip(found, wanted):
        assert (one.label, one.accepted, one.valid) == (
            other.label,
            other.accepted,
            other.valid,
        )
        assert one.prediction_set == other.prediction_set
        np.testing.assert_allclose(
            list(one.probabilities.values()),
            list(other.probabilities.values()),
            atol=1e-5,
        )
        assert list(one.probabilities) == list(other.probabilities)


def test_bad_image_leaves_its_neighbours_alone(client, photos):
    bad = [b"", b"<svg/>", photos[0][:60], b"\xff\xd8\xff", b"II*\x00tiff"]
    mixed = client.predict([photos[0], *bad, photos[1]])
    assert [one.valid for one in mixed] == [True, *[False] * len(bad), True]
    alone = client.predict([photos[0], photos[1]])
    for one, other in zip((mixed[0], mixed[-1]), alone):
        assert one.label == other.label
        assert one.confidence == pytest.approx(other.confidence, abs=1e-5)


def test_image_of_huge_claim_is_not_decoded(client):
    width = (60_000).to_bytes(4, "big")
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width + width + b"\x08\x02\0\0\0"
    started = time.monotonic()
    (found,) = client.predict([header + b"\0" * 100])
    assert not found.valid
    assert time.monotonic() - started < 5


def test_classify_gives_every_class_of_an_example(served_artifact, predictor, photos):
    examples = [{"image_bytes": b64(photos[0])}, {}, {"image_bytes": [1, 2]}]
    answer = served_artifact.post(
        "/v1/models/digits:classify",
        {"signature_name": "classify", "examples": examples},
    )
    first, *bad = answer.json["results"]
    names = list(predictor.artifact.manifest.class_names)
    assert [name for name, _ in first] == names
    wanted = predictor.predict([photos[0]])[0].probabilities
    assert [score for _, score in first] == pytest.approx(
        list(wanted.values()), abs=1e-5
    )
    for one in bad:
        assert one == [[name, 0.0] for name in names]


@pytest.mark.parametrize("signature", ["features", "pixels"])
def test_other_signatures_are_served_too(served_artifact, photos, signature):
    metadata = served_artifact.get("/v1/models/digits/metadata").json
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    if signature == "features":
        value, output = b64(photos[0]), "features"
    else:
        dims = signatures["pixels"]["inputs"]["pixels"]["tensor_shape"]["dim"]
        side = int(dims[1]["size"])
        value, output = np.zeros((side, side, 3), int).tolist(), "probabilities"
    answer = served_artifact.post(
        PREDICT, {"signature_name": signature, "instances": [value]}
    )
    (row,) = answer.json["predictions"]
    row = row[output] if isinstance(row, dict) else row
    assert np.isfinite(row).all()


def test_a_client_says_what_the_server_said(served_artifact):
    url = f"http://127.0.0.1:{served_artifact.rest_port}"
    with pytest.raises(ServerError, match=r"404: .*Latest\(none\)"):
        RestClient(url, model="none").predict([b"x"])
    with pytest.raises(ServerError, match="NOT_FOUND: "):
        GrpcClient(served_artifact.grpc_address, model="none").predict([b"x"])


def test_the_page_of_readiness_is_json(served_artifact):
    for path in ("/healthz", "/readyz"):
        answer = served_artifact.get(path)
        assert answer.status == 200
        assert json.loads(answer.body)["status"] in ("alive", "ready")


def test_artifact_computes_without_turns(served_artifact):
    """TensorFlow mixes up results of calls at once in other graphs only."""
    assert "digits version 1 is served" in served_artifact.output
    assert "one batch at a time" not in served_artifact.output
