"""The REST interface, case by case as TensorFlow Serving answers."""

import base64
import gzip
import json
import math

import pytest

pytestmark = pytest.mark.serving

TWO = "/v1/models/half_plus_two"
KINDS = "/v1/models/kinds"


def predict(endpoint, request, *, path=f"{TWO}:predict"):
    answer = endpoint.post(path, request)
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"].startswith("application/json")
    return answer.json


def kinds(endpoint, signature, **request):
    return endpoint.post(f"{KINDS}:predict", {"signature_name": signature, **request})


@pytest.mark.parametrize(
    "path",
    [
        TWO,
        f"{TWO}/versions/123",
        f"{TWO}/versions/124",
        f"{TWO}/versions/0123",
        f"{TWO}/labels/stable",
        f"{TWO}/labels/canary",
        "/V1/MODELS/half_plus_two",
        f"{TWO}/VERSIONS/124",
        "/v1/models/half%5fplus_two",
    ],
)
def test_model_is_found_by_version_and_label(endpoint, path):
    assert predict(endpoint, {"instances": [1.0, 2.0]}, path=f"{path}:predict") == {
        "predictions": [2.5, 3.0]
    }


def test_a_name_may_have_an_encoded_slash(endpoint):
    path = "/v1/models/a%20b%2Fc:predict"
    assert predict(endpoint, {"instances": [2.0]}, path=path) == {"predictions": [3.0]}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models/half_plus_two:predict"),
        ("POST", "/v1/models/half_plus_two"),
        ("POST", "/v1/models/half_plus_two/metadata"),
        ("POST", "/v1/models/half_plus_two:guess"),
        ("POST", "/v1/models/half_plus_two/versions/HELLO:predict"),
        ("POST", "/v1/models/half_plus_two/versions/:predict"),
        ("POST", "/v1/models/half_plus_two/versions/-1:predict"),
        ("POST", "/v1/models/half_plus_two/versions/1e3:predict"),
        ("POST", "/v1/models/half_plus_two/labels/:predict"),
        ("POST", "/v1/models/half_plus_two/labels/a/b:predict"),
        ("POST", "/v1/models/:predict"),
        ("POST", "/v1/models:predict"),
        ("GET", "/v1/models/half_plus_two/metadata/more"),
        ("GET", "/v1/else"),
        ("PUT", "/v1/models/half_plus_two:predict"),
        ("DELETE", "/v1/models/half_plus_two"),
    ],
)
def test_unknown_interface_is_malformed(endpoint, method, path):
    answer = endpoint.request(method, path, b"{}" if method != "GET" else None)
    assert answer.status == 400
    assert f"Malformed request: {method} {path}" in answer.error


def test_a_request_without_a_name_says_so(endpoint):
    answer = endpoint.get("/v1/models")
    assert (answer.status, answer.error) == (400, "Missing model name in request.")


def test_other_path_is_404(endpoint):
    assert endpoint.get("/index.html").status == 404


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/v1/models/none", 404, "Latest(none)"),
        ("/v1/models/none/versions/50", 404, "Specific(none, 50)"),
        (f"{TWO}/versions/5", 404, "Specific(half_plus_two, 5)"),
        (f"{TWO}/labels/gone", 400, "Unrecognized servable version label: gone"),
        (f"{TWO}/versions/99999999999999999999", 400, "Failed to convert version:"),
        ("/v1/models/*", 404, "Latest(*)"),
        ("/v1/models/..%2f..%2fetc", 404, "Servable not found"),
    ],
)
def test_unserved_model_is_named(endpoint, path, status, message):
    answer = endpoint.post(f"{path}:predict", {"instances": [1.0]})
    assert answer.status == status
    assert message in answer.error


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ({"instances": [1, 2]}, {"predictions": [2.5, 3.0]}),
        ({"instances": [1, 2.5]}, {"predictions": [2.5, 3.25]}),
        ({"instances": [{"x": 1}, {"x": 2}]}, {"predictions": [2.5, 3.0]}),
        ({"inputs": [1, 2]}, {"outputs": [2.5, 3.0]}),
        ({"inputs": {"x": [1, 2]}}, {"outputs": [2.5, 3.0]}),
        ({"inputs": {"x": [1], "more": 1}}, {"outputs": [2.5]}),
        ({"signature_name": "", "instances": [1]}, {"predictions": [2.5]}),
        (
            {"signature_name": "serving_default", "instances": [1]},
            {"predictions": [2.5]},
        ),
    ],
)
def test_rows_and_columns(endpoint, request_, wanted):
    assert predict(endpoint, request_) == wanted


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b"   ", "JSON Parse error: The document is empty"),
        (b"{", "JSON Parse error:"),
        (b'{"instances": [1,]}', "JSON Parse error: Invalid value. at offset:"),
        (b'{"instances": [1', "JSON Parse error:"),
        (b"[1, 2]", ""),
        (b"{}", "Missing 'inputs' or 'instances' key"),
        (b'{"instances": [1], "inputs": [1]}', ""),
        (b'{"instances": []}', ""),
        (b'{"instances": 1}', ""),
        (b'{"instances": {}}', ""),
        (b'{"instances": ["a"]}', "is not of expected type: float"),
        (b'{"instances": [true]}', "is not of expected type: float"),
        (b'{"instances": [null]}', ""),
        (b'{"instances": [{"z": 1}]}', ""),
        (b'{"instances": [{"x": 1}, 2]}', ""),
        (b'{"instances": [1, {"x": 2}]}', ""),
        (b'{"instances": [[1, 2], [3]]}', ""),
        (b'{"instances": [{"b64": "AAAA"}]}', "is not of expected type: float"),
        (b'{"inputs": {"z": [1]}}', "Missing named input: x in 'inputs' object"),
        (b'{"signature_name": 1, "instances": [1]}', "'signature_name' key must be"),
        (
            b'{"signature_name": "no", "instances": [1]}',
            'Serving signature name: "no" not found in signature def',
        ),
    ],
)
def test_wrong_request_is_400(endpoint, body, message):
    answer = endpoint.post(f"{TWO}:predict", body)
    assert answer.status == 400, answer.body
    assert message in answer.error


@pytest.mark.parametrize(
    ("signature", "values", "status"),
    [
        ("int32", [1, -2], 200),
        ("int32", [1.0], 400),
        ("int32", [2**31], 400),
        ("int64", [2**62], 200),
        ("int64", [2**64], 400),
        ("uint8", [0, 255], 200),
        ("uint8", [256], 400),
        ("uint8", [-1], 400),
        ("bool", [True, False], 200),
        ("bool", [1], 400),
        ("float64", [0.1, 3], 200),
        ("half", [1.0], 501),
    ],
)
def test_numbers_have_the_type_of_the_signature(endpoint, signature, values, status):
    answer = kinds(endpoint, signature, instances=values)
    assert answer.status == status, answer.body
    if status == 200:
        assert answer.json == {"predictions": values}


def test_strings_come_and_go_as_text(endpoint):
    answer = kinds(endpoint, "text", instances=["a", "é", {"b64": "Yg=="}])
    assert answer.json == {"predictions": ["a!", "é!", "b!"]}


def test_bytes_come_and_go_as_base64(endpoint):
    raw = b"\xff\x00\xfe"
    given = {"b64": base64.b64encode(raw).decode()}
    wanted = {"b64": base64.b64encode(raw + b"!").decode()}
    answer = kinds(endpoint, "raw", instances=[given, {"text": given}][:1])
    assert answer.json == {"predictions": [wanted]}
    answer = kinds(endpoint, "raw", inputs={"text": [given]})
    assert answer.json == {"outputs": [wanted]}


def test_bad_base64_is_refused(endpoint):
    answer = kinds(endpoint, "raw", instances=[{"b64": "*"}])
    assert answer.status == 400


def test_several_inputs_and_outputs(endpoint):
    rows = [{"a": 1, "b": [2, 3]}, {"b": [0, 0], "a": 5}]
    answer = kinds(endpoint, "two", instances=rows)
    assert answer.json == {
        "predictions": [
            {"sum": 6.0, "twice": [4.0, 6.0]},
            {"sum": 5.0, "twice": [0.0, 0.0]},
        ]
    }
    columns = {"a": [1, 5], "b": [[2, 3], [0, 0]]}
    assert kinds(endpoint, "two", inputs=columns).json == {
        "outputs": {"sum": [6.0, 5.0], "twice": [[4.0, 6.0], [0.0, 0.0]]}
    }


@pytest.mark.parametrize(
    "rows",
    [[{"a": 1}], [{"a": 1, "b": [1, 2], "c": 1}], [1.0], [{"a": 1, "b": [1, 2]}, 1]],
)
def test_rows_have_all_inputs_and_no_others(endpoint, rows):
    assert kinds(endpoint, "two", instances=rows).status == 400


def test_tensors_of_higher_rank(endpoint):
    matrix = [[1, 2, 3], [4, 5, 6]]
    answer = kinds(endpoint, "matrix", instances=[matrix, matrix])
    assert answer.json == {"predictions": [21.0, 21.0]}
    assert kinds(endpoint, "matrix", instances=[[[1, 2], [3, 4]]]).status == 400
    assert kinds(endpoint, "matrix", instances=[[1, 2, 3]]).status == 400


def test_outputs_without_rows_need_columns(endpoint):
    assert kinds(endpoint, "total", instances=[1, 2]).status == 400
    assert kinds(endpoint, "total", inputs=[1, 2]).json == {"outputs": 3.0}


def test_numbers_that_json_has_not_are_bare_words(endpoint):
    answer = kinds(endpoint, "quotient", instances=[0.0, -0.0, 2.0])
    assert answer.json == {"predictions": [math.inf, -math.inf, 0.5]}
    body = b'{"signature_name": "quotient", "instances": [NaN, Infinity, 4]}'
    found = endpoint.post(f"{KINDS}:predict", body).json["predictions"]
    assert math.isnan(found[0])
    assert found[1:] == [0.0, 0.25]


def test_numbers_too_large_for_a_float_are_infinite(endpoint):
    assert predict(endpoint, {"instances": [1e300]}) == {"predictions": [math.inf]}
    assert predict(endpoint, {"instances": [1e-300]}) == {"predictions": [2.0]}


def test_floats_are_written_short(endpoint):
    answer = endpoint.post(f"{KINDS}:predict", {"instances": [10.0, 3.0]})
    assert b"0.1" in answer.body
    assert b"0.10000000" not in answer.body
    assert b"0.3333333" in answer.body
    assert b"2.0" in endpoint.post(f"{KINDS}:predict", {"instances": [0.5]}).body


def test_half_precision_is_not_written(endpoint):
    answer = kinds(endpoint, "as_half", instances=[1.0])
    assert answer.status == 400
    assert "Failed to write JSON value for tensor type" in answer.error


def test_error_of_the_model_is_400(endpoint):
    assert kinds(endpoint, "positive", instances=[4.0]).json == {"predictions": [2.0]}
    answer = kinds(endpoint, "positive", instances=[-1.0])
    assert answer.status == 400
    assert "must be positive" in answer.error


def test_a_body_may_be_gzip(endpoint):
    body = gzip.compress(b'{"instances": [1]}')
    answer = endpoint.request(
        "POST", f"{TWO}:predict", body, {"Content-Encoding": "gzip"}
    )
    assert answer.json == {"predictions": [2.5]}


CLASSIFY = f"{TWO}:classify"
REGRESS = f"{TWO}:regress"


@pytest.mark.parametrize(
    ("signature", "wanted"),
    [
        ("classify_x_to_y", [[["", 3.0]], [["", 12.0]]]),
        ("classify_names", [[["low", 0.0], ["high", 0.0]]] * 2),
        (
            "classify_both",
            [[["low", 2.0], ["high", 3.0]], [["low", 20.0], ["high", 12.0]]],
        ),
    ],
)
def test_classify(endpoint, signature, wanted):
    request = {"signature_name": signature, "examples": [{"x": 2.0}, {"x": 20.0}]}
    assert predict(endpoint, request, path=CLASSIFY) == {"results": wanted}


def test_regress(endpoint):
    request = {
        "signature_name": "regress_x_to_y",
        "examples": [{"x": 80.0}, {"x": [2.0]}],
    }
    assert predict(endpoint, request, path=REGRESS) == {"results": [42.0, 3.0]}


def test_the_context_is_part_of_every_example(endpoint):
    request = {
        "signature_name": "regress_x_to_y",
        "context": {"x": 2.0},
        "examples": [{}, {"x": 4.0}],
    }
    assert predict(endpoint, request, path=REGRESS) == {"results": [3.0, 4.0]}


@pytest.mark.parametrize(
    "examples",
    [
        None,
        [],
        {},
        1,
        [1],
        [{"x": None}],
        [{"x": [1.0, "a"]}],
        [{"x": [[1.0]]}],
        [{"x": {"a": 1}}],
        [{"x": 2**63}],
        [{"y": 1.0}],
    ],
)
@pytest.mark.parametrize("path", [CLASSIFY, REGRESS])
def test_examples_that_are_none(endpoint, path, examples):
    signature = "classify_x_to_y" if path == CLASSIFY else "regress_x_to_y"
    request = {"signature_name": signature, "examples": examples}
    if examples is None:
        del request["examples"]
    answer = endpoint.post(path, request)
    assert answer.status == 400, answer.body
    assert answer.error


@pytest.mark.parametrize("path", [CLASSIFY, REGRESS])
def test_a_signature_that_takes_no_examples(endpoint, path):
    answer = endpoint.post(path, {"examples": [{"x": 2.0}]})
    assert answer.status == 400


def test_the_status_of_all_versions(endpoint):
    rows = endpoint.get(TWO).json["model_version_status"]
    assert {row["version"] for row in rows} == {"123", "124"}
    for row in rows:
        assert row["state"] == "AVAILABLE"
        assert row["status"] == {"error_code": "OK", "error_message": ""}


def test_the_status_of_one_version(endpoint):
    rows = endpoint.get(f"{TWO}/versions/123").json["model_version_status"]
    assert [row["version"] for row in rows] == ["123"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v1/models/none", "Could not find any versions of model none"),
        (f"{TWO}/versions/9", "Could not find version 9 of model half_plus_two"),
    ],
)
def test_the_status_of_what_is_not_there(endpoint, path, message):
    answer = endpoint.get(path)
    assert answer.status == 404
    assert message in answer.error


def test_metadata(endpoint):
    found = endpoint.get(f"{TWO}/versions/123/metadata").json
    assert found["model_spec"] == {
        "name": "half_plus_two",
        "signature_name": "",
        "version": "123",
    }
    signatures = found["metadata"]["signature_def"]["signature_def"]
    default = signatures["serving_default"]
    assert default["method_name"] == "tensorflow/serving/predict"
    assert default["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert default["inputs"]["x"]["tensor_shape"]["dim"] == [{"size": "-1", "name": ""}]
    assert default["inputs"]["x"]["tensor_shape"]["unknown_rank"] is False
    assert set(signatures) >= {"classify_x_to_y", "regress_x_to_y"}


def test_metadata_of_what_is_not_there(endpoint):
    assert endpoint.get("/v1/models/none/metadata").status == 404


def test_options_want_an_origin(endpoint):
    answer = endpoint.request("OPTIONS", f"{TWO}:predict")
    assert answer.status == 400
    assert "Origin header is missing in CORS preflight" in answer.error
    origin = {"Origin": "http://example.org"}
    assert endpoint.request("OPTIONS", f"{TWO}:predict", None, origin).status == 200


def test_errors_are_json(endpoint):
    answer = endpoint.post(f"{TWO}:predict", b"{")
    assert answer.headers["content-type"].startswith("application/json")
    assert set(json.loads(answer.body)) == {"error"}


def test_the_numbers_for_prometheus(endpoint):
    predict(endpoint, {"instances": [1.0]})
    answer = endpoint.get("/monitoring/prometheus/metrics")
    if not endpoint.is_ours and answer.status == 404:
        pytest.skip("this server has no monitoring config")
    text = answer.body.decode()
    assert "# TYPE :tensorflow:serving:request_count" in text
    assert ":tensorflow:serving:request_latency_bucket{" in text
