"""The Open Inference Protocol: against our server, or with BASE_URL against any.

Our own words for https://kserve.github.io/website/docs/concepts/architecture/data-plane,
and for Triton's binary data.
"""

from __future__ import annotations

import base64
import json
import math
import struct

import numpy as np
import pytest

LINE = "/v2/models/half_plus_two"
KINDS = "/v2/models/kinds/infer"


def tensor(name, datatype, data, shape=None, **parameters):
    values = {"name": name, "datatype": datatype, "data": data}
    values["shape"] = [len(data)] if shape is None else shape
    return {**values, "parameters": parameters} if parameters else values


def asked(signature, *inputs, **values):
    return {"inputs": inputs, "parameters": {"signature_name": signature}, **values}


def in_binary(request, *chunks):
    head = json.dumps(request).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    return head + b"".join(chunks), headers


def binary_input(name, datatype, shape, size):
    return {
        "name": name,
        "datatype": datatype,
        "shape": shape,
        "parameters": {"binary_data_size": size},
    }


def outputs_of(answer):
    assert answer.status == 200, answer.body
    return {output["name"]: output for output in answer.json["outputs"]}


class TestHealthAndMetadata:
    def test_server_is_live_and_ready(self, endpoint):
        for path in ("/v2/health/live", "/v2/health/ready"):
            assert endpoint.get(path).status == 200

    def test_server_names_its_extensions(self, endpoint):
        values = endpoint.get("/v2").json
        assert {"name", "version", "extensions"} <= set(values)
        assert "binary_tensor_data" in values["extensions"]

    @pytest.mark.parametrize("which", ["", "/versions/123"])
    def test_model_is_ready(self, endpoint, which):
        answer = endpoint.get(f"{LINE}{which}/ready")
        assert (answer.status, answer.json["ready"]) == (200, True)

    def test_version_that_is_not_there_is_not_ready(self, endpoint):
        answer = endpoint.get(f"{LINE}/versions/7/ready")
        assert (answer.status, answer.json["ready"]) == (503, False)

    def test_unknown_model_has_an_error(self, endpoint):
        for path in ("/v2/models/none", "/v2/models/none/ready"):
            answer = endpoint.get(path)
            assert answer.status == 404
            assert isinstance(answer.error, str)

    def test_model_has_versions_inputs_and_outputs(self, endpoint):
        values = endpoint.get(LINE).json
        assert values["name"] == "half_plus_two"
        assert sorted(values["versions"]) == ["123", "124"]
        assert values["platform"] == "tensorflow_savedmodel"
        (only,) = values["inputs"]
        assert only == {"name": "x", "datatype": "FP32", "shape": [-1]}
        assert [output["name"] for output in values["outputs"]] == ["y"]

    def test_name_with_other_signs_is_found(self, endpoint):
        assert endpoint.get("/v2/models/a%20b%2Fc").json["name"] == "a b/c"

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/v2/models/half_plus_two/infer"),
            ("POST", "/v2/models/half_plus_two"),
            ("POST", "/v2/models/half_plus_two/guess"),
            ("POST", "/v2/models/half_plus_two/versions/a/infer"),
            ("DELETE", "/v2/models/half_plus_two"),
        ],
    )
    def test_other_paths_are_refused(self, endpoint, method, path):
        answer = endpoint.request(method, path, {})
        assert 400 <= answer.status < 500
        assert answer.error


class TestInference:
    def test_published_form_is_answered(self, endpoint):
        request = {"id": "42", "inputs": [tensor("x", "FP32", [1.0, 2.0, 5.0])]}
        answer = endpoint.post(f"{LINE}/versions/123/infer", request)
        assert answer.json["id"] == "42"
        assert answer.json["model_name"] == "half_plus_two"
        assert answer.json["model_version"] == "123"
        assert outputs_of(answer)["y"] == {
            "name": "y",
            "datatype": "FP32",
            "shape": [3],
            "data": [2.5, 3.0, 4.5],
        }

    def test_newest_version_answers_without_one(self, endpoint):
        request = {"inputs": [tensor("x", "FP32", [1.0])]}
        assert endpoint.post(f"{LINE}/infer", request).json["model_version"] == "124"
        assert "id" not in endpoint.post(f"{LINE}/infer", request).json

    @pytest.mark.parametrize(
        ("signature", "datatype", "data"),
        [
            ("float64", "FP64", [0.1, -2.5]),
            ("int32", "INT32", [-1, 2**31 - 1]),
            ("int64", "INT64", [2**53 + 1, -5]),
            ("uint8", "UINT8", [0, 255]),
            ("bool", "BOOL", [True, False]),
        ],
    )
    def test_every_type_comes_back(self, endpoint, signature, datatype, data):
        answer = endpoint.post(KINDS, asked(signature, tensor("x", datatype, data)))
        output = outputs_of(answer)["y"]
        assert (output["datatype"], output["data"]) == (datatype, data)

    def test_text_is_a_string(self, endpoint):
        answer = endpoint.post(KINDS, asked("text", tensor("text", "BYTES", ["é", ""])))
        assert outputs_of(answer)["joined"]["data"] == ["é!", "!"]

    def test_bytes_travel_in_base64(self, endpoint):
        sent = base64.b64encode(b"\xff\x00").decode()
        answer = endpoint.post(
            KINDS, asked("raw", tensor("text", "BYTES", [sent], content_type="base64"))
        )
        output = outputs_of(answer)["out_bytes"]
        assert base64.b64decode(output["data"][0]) == b"\xff\x00!"
        assert output["parameters"] == {"content_type": "base64"}

    @pytest.mark.parametrize(
        "data", [list(range(12)), np.arange(12).reshape(2, 2, 3).tolist()]
    )
    def test_data_is_flat_or_nested(self, endpoint, data):
        request = asked("matrix", tensor("x", "FP32", data, shape=[2, 2, 3]))
        assert outputs_of(endpoint.post(KINDS, request))["y"]["data"] == [15.0, 51.0]

    def test_outputs_are_flat_with_a_shape(self, endpoint):
        request = asked(
            "two",
            tensor("a", "FP32", [1.0, 2.0]),
            tensor("b", "FP32", [1.0, 2.0, 3.0, 4.0], shape=[2, 2]),
        )
        outputs = outputs_of(endpoint.post(KINDS, request))
        assert outputs["sum"]["data"] == [4.0, 9.0]
        assert outputs["twice"]["shape"] == [2, 2]
        assert outputs["twice"]["data"] == [2.0, 4.0, 6.0, 8.0]

    def test_outputs_that_are_asked_for_come_alone(self, endpoint):
        request = asked(
            "two",
            tensor("a", "FP32", [1.0]),
            tensor("b", "FP32", [1.0, 2.0], shape=[1, 2]),
            outputs=[{"name": "twice"}],
        )
        assert list(outputs_of(endpoint.post(KINDS, request))) == ["twice"]

    def test_scalar_output_has_an_empty_shape(self, endpoint):
        answer = endpoint.post(KINDS, asked("total", tensor("x", "FP32", [1.0, 2.0])))
        output = outputs_of(answer)["total"]
        assert (output["shape"], output["data"]) == ([], [3.0])

    def test_numbers_that_are_not_finite_are_written(self, endpoint):
        answer = endpoint.post(KINDS, asked("quotient", tensor("x", "FP32", [0.0])))
        assert outputs_of(answer)["y"]["data"] == [math.inf]

    def test_no_rows_have_no_answers(self, endpoint):
        request = {"inputs": [tensor("x", "FP32", [])]}
        answer = endpoint.post(f"{LINE}/infer", request)
        assert outputs_of(answer)["y"]["shape"] == [0]


X = tensor("x", "FP32", [1.0])


class TestRefusals:
    @pytest.mark.parametrize(
        ("request_", "words"),
        [
            ({}, "'inputs' must be a list"),
            ({"inputs": []}, "'inputs' must be a list"),
            ({"inputs": [5]}, "must be an object with name"),
            ({"inputs": [{"name": "x", "data": [1.0]}]}, "must be an object with name"),
            ({"inputs": [{**X, "name": "z"}]}, "There is no input 'z'"),
            ({"inputs": [{**X, "name": 3}]}, "There is no input '3'"),
            ({"inputs": [{**X, "datatype": "FP64"}]}, "the model takes FP32"),
            ({"inputs": [{**X, "datatype": "float"}]}, "the model takes FP32"),
            ({"inputs": [{**X, "datatype": None}]}, "the model takes FP32"),
            ({"inputs": [{**X, "datatype": []}]}, "the model takes FP32"),
            ({"inputs": [{**X, "shape": [2]}]}, "has the shape [2]"),
            ({"inputs": [{**X, "shape": [-1]}]}, "must be a list of sizes"),
            ({"inputs": [{**X, "shape": 1}]}, "must be a list of sizes"),
            ({"inputs": [{**X, "shape": [True]}]}, "must be a list of sizes"),
            ({"inputs": [{**X, "shape": [1, 1]}]}, "must have shape"),
            ({"inputs": [{**X, "data": 1.0}]}, "must be a list"),
            ({"inputs": [{**X, "data": ["a"]}]}, "not of expected type"),
            ({"inputs": [{**X, "data": [None]}]}, "not of expected type"),
            ({"inputs": [X, X]}, "came twice"),
            ({"inputs": [X], "id": 5}, "'id' must be a string"),
            ({"inputs": [X], "outputs": "y"}, "'outputs' must be a list"),
            ({"inputs": [X], "outputs": [{}]}, "'outputs' must be a list"),
            ({"inputs": [X], "outputs": [{"name": "q"}]}, "alias not found"),
            (
                {"inputs": [X], "outputs": [{"name": "y"}, {"name": "y"}]},
                "is asked for twice",
            ),
            ({"inputs": [X], "parameters": []}, "must be an object"),
            (
                {"inputs": [X], "parameters": {"binary_data_output": 1}},
                "must be true or false",
            ),
            (
                {"inputs": [{**X, "parameters": {"binary_data_size": 4}}]},
                "either 'data' or",
            ),
            (
                {"inputs": [{**X, "parameters": {"content_type": "base64"}}]},
                "no content_type",
            ),
        ],
    )
    def test_request_that_is_not_of_the_protocol(self, endpoint, request_, words):
        answer = endpoint.post(f"{LINE}/infer", request_)
        assert answer.status == 400
        assert words in answer.error

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"inputs": [', b"\xff"])
    def test_body_that_is_no_object(self, endpoint, body):
        answer = endpoint.request("POST", f"{LINE}/infer", body)
        assert answer.status == 400
        assert "JSON" in answer.error

    def test_unknown_models_versions_and_signatures(self, endpoint):
        request = {"inputs": [X]}
        for path in ("/v2/models/none/infer", f"{LINE}/versions/7/infer"):
            assert endpoint.post(path, request).status == 404
        answer = endpoint.post(KINDS, asked("nothing", X))
        assert answer.status == 400
        assert "nothing" in answer.error

    def test_classification_is_not_supported(self, endpoint):
        outputs = [{"name": "y", "parameters": {"classification": 2}}]
        answer = endpoint.post(f"{LINE}/infer", {"inputs": [X], "outputs": outputs})
        assert answer.status == 501
        assert "/v1/models/NAME:classify" in answer.error

    def test_half_floats_have_no_json(self, endpoint):
        answer = endpoint.post(KINDS, asked("half", tensor("x", "FP16", [1.0])))
        assert answer.status >= 400
        assert "not supported" in answer.error

    def test_error_of_the_model_is_said(self, endpoint):
        answer = endpoint.post(KINDS, asked("positive", tensor("x", "FP32", [-1.0])))
        assert answer.status >= 400
        assert "x must be positive" in answer.error


class TestBinaryData:
    def send(self, endpoint, path, request, *chunks):
        body, headers = in_binary(request, *chunks)
        return endpoint.request("POST", path, body, headers=headers)

    def test_numbers_go_and_come_in_bytes(self, endpoint):
        x = np.array([1.0, 2.0], "<f4")
        request = {
            "inputs": [binary_input("x", "FP32", [2], x.nbytes)],
            "parameters": {"binary_data_output": True},
        }
        answer = self.send(endpoint, f"{LINE}/infer", request, x.tobytes())
        end = int(answer.headers["inference-header-content-length"])
        (output,) = json.loads(answer.body[:end])["outputs"]
        assert output["parameters"] == {"binary_data_size": 8}
        assert "data" not in output
        np.testing.assert_array_equal(
            np.frombuffer(answer.body[end:], "<f4"), [2.5, 3.0]
        )

    def test_half_floats_travel_in_bytes(self, endpoint):
        x = np.array([0.5, -2.0], "<f2")
        request = asked(
            "half",
            binary_input("x", "FP16", [2], x.nbytes),
            outputs=[{"name": "y", "parameters": {"binary_data": True}}],
        )
        answer = self.send(endpoint, KINDS, request, x.tobytes())
        assert answer.body.endswith(x.tobytes())

    def test_strings_follow_their_lengths(self, endpoint):
        texts = [b"\xff", b"", b"abc"]
        chunk = b"".join(struct.pack("<I", len(text)) + text for text in texts)
        request = asked("raw", binary_input("text", "BYTES", [3], len(chunk)))
        answer = self.send(endpoint, KINDS, request, chunk)
        data = outputs_of(answer)["out_bytes"]["data"]
        assert [base64.b64decode(text) for text in data] == [t + b"!" for t in texts]

    def test_inputs_in_bytes_and_json_go_together(self, endpoint):
        b = np.array([[1.0, 2.0]], "<f4")
        request = asked(
            "two",
            tensor("a", "FP32", [1.0]),
            binary_input("b", "FP32", [1, 2], b.nbytes),
        )
        answer = self.send(endpoint, KINDS, request, b.tobytes())
        assert outputs_of(answer)["sum"]["data"] == [4.0]

    @pytest.mark.parametrize(
        ("shape", "size", "chunk", "words"),
        [
            ([2], 8, b"\0" * 4, "are left behind the JSON"),
            ([2], 4, b"\0" * 4, "which takes 8 bytes; 4 came"),
            ([1], 4, b"\0" * 5, "behind those of all inputs"),
            ([1], -4, b"\0" * 4, "are left behind the JSON"),
            ([1], "4", b"\0" * 4, "are left behind the JSON"),
            ([2**40], 4, b"\0" * 4, "4 came"),
        ],
    )
    def test_sizes_that_do_not_fit(self, endpoint, shape, size, chunk, words):
        request = {"inputs": [binary_input("x", "FP32", shape, size)]}
        answer = self.send(endpoint, f"{LINE}/infer", request, chunk)
        assert answer.status == 400
        assert words in answer.error

    @pytest.mark.parametrize(
        ("shape", "chunk", "words"),
        [
            ([1], b"\x05\0\0\0abc", "ends within string 0"),
            ([2], b"\x01\0\0\0a\0\0\0", "ends within string 1"),
            ([1], b"\x01\0\0\0ab", "behind its last string"),
            ([2**40], b"\0\0\0\0", "strings by its shape"),
        ],
    )
    def test_strings_that_are_cut(self, endpoint, shape, chunk, words):
        request = asked("text", binary_input("text", "BYTES", shape, len(chunk)))
        answer = self.send(endpoint, KINDS, request, chunk)
        assert answer.status == 400
        assert words in answer.error

    def test_bool_of_other_bytes_is_refused(self, endpoint):
        request = asked("bool", binary_input("x", "BOOL", [1], 1))
        assert self.send(endpoint, KINDS, request, b"\x02").status == 400

    @pytest.mark.parametrize("length", ["-1", "1e9", "999999", "abc"])
    def test_header_length_that_is_none_is_refused(self, endpoint, length):
        headers = {"Inference-Header-Content-Length": length}
        body = json.dumps({"inputs": [X]}).encode()
        answer = endpoint.request("POST", f"{LINE}/infer", body, headers=headers)
        assert answer.status == 400
        assert "inference-header-content-length" in answer.error
