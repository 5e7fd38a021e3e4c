"""Hostile requests, and the answers of a healthy server."""

import base64
import collections
import contextlib
import gzip
import http.client
import io
import json
import socket
import struct
import threading
import time
import zlib

import grpc
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tests.faults.kills import IS_LONG
from tests.support.servers import ask

pytestmark = pytest.mark.serving

PREDICT = "/v1/models/digits:predict"


@pytest.fixture(autouse=True)
def _still_alive(served_artifact, photos):
    """After every attack the server answers as it did."""
    yield
    answer = served_artifact.get("/readyz")
    assert answer.status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/models/..%2f..%2fetc:predict", 404),
        ("/v1/models/%00:predict", 404),
        (f"/v1/models/{'a' * 10_000}:predict", 404),
        ("/v1/models/*:predict", 404),
        ("/v1/models/d%D1%96gits:predict", 404),  # a Cyrillic letter
        ("/v1/models/digits/versions/99999999999999999999:predict", 400),
        ("/v1/models/digits/versions/-1:predict", 400),
        ("/v1/models/digits/versions/1e3:predict", 400),
        ("/v1/models/digits/labels/..%2fx:predict", 400),
        ("/v1/../../etc/passwd", 400),
    ],
)
def test_names_and_versions_never_become_paths(served_artifact, path, status):
    answer = served_artifact.post(path, {"instances": [1]})
    assert answer.status == status
    assert answer.error


def test_declared_large_body_is_refused_unsent(served_artifact):
    with socket.create_connection(("127.0.0.1", served_artifact.rest_port)) as opened:
        opened.settimeout(10)
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {3 * 10**8}"
        opened.sendall(f"{head}\r\n\r\n".encode())
        # Until the server closes: head and body may come apart.
        answer = b"".join(iter(lambda: opened.recv(4096), b""))
    assert b" 413 " in answer.split(b"\r\n")[0]
    assert b'{"error":' in answer


def test_body_without_length_is_refused_on_the_way(served_artifact):
    before = served_artifact.memory_mib
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", served_artifact.rest_port)) as opened:
        opened.settimeout(10)
        head = (
            f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        opened.sendall(head.encode())
        with contextlib.suppress(OSError):  # the server hangs up
            while sent < 100_000_000:
                opened.sendall(chunk)
                sent += len(chunk)
    assert sent < 50_000_000
    assert served_artifact.memory_mib - before < 60


def test_a_gzip_bomb_is_refused_while_it_inflates(served_artifact):
    before = served_artifact.memory_mib
    bomb = gzip.compress(b" " * 400_000_000)
    assert len(bomb) < 2**20
    answer = served_artifact.request(
        "POST", PREDICT, bomb, headers={"Content-Encoding": "gzip"}
    )
    assert answer.status == 413
    assert served_artifact.memory_mib - before < 60


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"no gzip", "gzip", 400),
        (gzip.compress(b'{"instances": []}')[:-4], "gzip", 400),
        (b"{}", "br", 415),
    ],
)
def test_bad_encodings_are_refused(served_artifact, body, encoding, status):
    answer = served_artifact.request(
        "POST", PREDICT, body, headers={"Content-Encoding": encoding}
    )
    assert answer.status == status
    assert answer.error


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 500_000,
        b'{"instances": ' + b"[" * 500_000 + b"]" * 500_000 + b"}",
        b'{"instances": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"instances": [NaN, ' + b"[" * 100_000 + b"]}",
        b'{"instances": [' + b"9" * 5000 + b"]}",
        b'{"instances": [1e99999]}',
        b'{"instances": ["\xff\xfe"]}',
        b'\xef\xbb\xbf{"instances": ["a"]',
        b'{"instances": ["\\ud800"]}',
        b"{" + b",".join(b'"%d":1' % i for i in range(100_000)) + b"}",
        b'{"instances": "\\u0000"}',
    ],
    ids=range(11),
)
def test_hostile_json_is_400(served_artifact, body):
    answer = served_artifact.post(PREDICT, body)
    assert answer.status == 400
    assert answer.error


@pytest.fixture(scope="module")
def stub(served_artifact):
    with grpc.insecure_channel(
        served_artifact.grpc_address,
        options=[("grpc.max_send_message_length", -1)],
    ) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def _request(proto, key="image_bytes", *, model="digits") -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.inputs[key].CopyFrom(proto)
    return request


def _proto(dims, dtype=tf.string, **values):
    proto = tf.make_tensor_proto([], tf.float32)
    proto.Clear()
    proto.dtype = dtype.as_datatype_enum
    for size in dims:
        proto.tensor_shape.dim.add(size=size)
    for name, value in values.items():
        if isinstance(value, bytes):
            setattr(proto, name, value)
        else:
            getattr(proto, name).extend(value)
    return proto


@pytest.mark.parametrize(
    "proto",
    [
        _proto([2**31], string_val=[b"a"]),
        _proto([2**40, 2**40], string_val=[b"a"]),
        _proto([-1], string_val=[b"a"]),
        _proto([3], string_val=[b"a", b"b", b"c", b"d", b"e"]),
        _proto([2], tf.float32, float_val=[1.0, 2.0]),
        _proto([4], tf.uint8, tensor_content=b"\0"),
        _proto([1] * 200, string_val=[b"a"]),
        _proto([1], tf.resource),
        _proto([1, 1], string_val=[b"a"]),
    ],
    ids=range(9),
)
def test_inconsistent_tensors_are_refused(stub, served_artifact, proto):
    before = served_artifact.memory_mib
    with pytest.raises(grpc.RpcError) as error:
        stub.Predict(_request(proto), timeout=20)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert served_artifact.memory_mib - before < 60


def test_message_over_the_limit_is_refused(stub):
    proto = _proto([1], string_val=[b"x" * (3 * 2**20)])
    with pytest.raises(grpc.RpcError) as error:
        stub.Predict(_request(proto), timeout=20)
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.slow
@pytest.mark.skipif(not IS_LONG, reason="takes 3 GB of memory in the client")
def test_gigabyte_message_is_refused(stub, served_artifact):
    before = served_artifact.memory_mib
    proto = _proto([1], string_val=[b"x" * 2**30])
    with pytest.raises(grpc.RpcError) as error:
        stub.Predict(_request(proto), timeout=120)
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert served_artifact.memory_mib - before < 60


def test_broken_message_is_refused(served_artifact):
    with grpc.insecure_channel(served_artifact.grpc_address) as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        with pytest.raises(grpc.RpcError) as error:
            call(b"\xff" * 100, timeout=20)
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "not a message of this kind" in error.value.details()
        unknown = channel.unary_unary("/tensorflow.serving.PredictionService/Other")
        with pytest.raises(grpc.RpcError) as error:
            unknown(b"", timeout=20)
        assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("connections", [1, 6])
def test_ten_thousand_streams_are_answered(served_artifact, connections):
    """Each is answered or refused for now; gRPC's own queue would cancel some."""
    request = _request(tf.make_tensor_proto([b"a text"]), "text", model="texts")
    with contextlib.ExitStack() as stack:
        calls = []
        for _ in range(connections):
            options = [("grpc.use_local_subchannel_pool", 1)]
            channel = grpc.insecure_channel(served_artifact.grpc_address, options)
            stack.enter_context(channel)
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            calls += [
                stub.Predict.future(request, timeout=60)
                for _ in range(10_000 // connections)
            ]
        codes = collections.Counter(call.code() for call in calls)
    allowed = {
        grpc.StatusCode.OK,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
    }
    assert grpc.StatusCode.OK in codes
    assert codes.keys() <= allowed, codes


@pytest.mark.usefixtures("_many_files")
def test_endless_headers_are_given_up(served_artifact, photos):
    """S18: 2,000 connections that say nothing, or that never end what they say."""
    slow = [
        socket.create_connection(("127.0.0.1", served_artifact.rest_port))
        for _ in range(2000)
    ]
    try:
        for i, one in enumerate(slow):
            one.settimeout(10)
            if i % 2:
                one.sendall(b"POST /v1/models/digits:predict HTTP/1.1\r\nX: ")
        started = time.monotonic()
        assert served_artifact.get("/readyz").status == 200
        assert time.monotonic() - started < 1
        for one in slow:
            assert one.recv(100) == b""
        assert time.monotonic() - started < 8
    finally:
        for one in slow:
            one.close()


def _png_header(width, height):
    """A PNG that says how large it is, and holds nothing."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    check = struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + check + bytes(100)


def _png_bomb(side):
    """A whole PNG of black pixels, a thousandth of them in size."""
    packer, pieces = zlib.compressobj(), []
    for _ in range(side):
        pieces.append(packer.compress(bytes(3 * side + 1)))
    data = b"".join([*pieces, packer.flush()])

    def chunk(kind, content):
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", data), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _saved(kind, size=(4, 4), **options):
    stream = io.BytesIO()
    Image.new("RGB", size, "red").save(stream, kind, **options)
    return stream.getvalue()


def _jpeg_of(width, height):
    """A JPEG whose header was made to say another size."""
    content = bytearray(_saved("JPEG"))
    start = content.index(b"\xff\xc0") + 5
    content[start : start + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def _gif_of(width, height):
    content = bytearray(_saved("GIF"))
    content[6:10] = struct.pack("<HH", width, height)
    frame = content.index(b",")
    content[frame + 5 : frame + 9] = struct.pack("<HH", width, height)
    return bytes(content)


def _webp_of(width, height):
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunk = b"VP8X" + struct.pack("<I", 10) + bytes(4) + size
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def _exif_bomb():
    """A JPEG with an Exif directory of 65,535 entries that lead back to itself."""
    entry = struct.pack("<HHII", 0x8769, 4, 1, 8)
    tiff = b"II*\0" + struct.pack("<IH", 8, 65535) + entry * 5000
    body = b"Exif\0\0" + tiff
    content = _saved("JPEG")
    return (
        content[:2]
        + b"\xff\xe1"
        + struct.pack(">H", len(body) + 2)
        + body
        + content[2:]
    )


def _bad_images():
    return {
        "a PNG of 64 million pixels in 200 kB": _png_bomb(8_000),
        "a PNG that says it is huge": _png_header(60_000, 60_000),
        "a JPEG that says it is huge": _jpeg_of(65_000, 65_000),
        "a GIF that says it is huge": _gif_of(60_000, 60_000),
        "a WebP that says it is huge": _webp_of(16_000_000, 16_000_000),
        "a JPEG cut short": _saved("JPEG", (64, 64))[:200],
        "an SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "a page": b"<!doctype html><img src=x onerror=alert(1)>",
        "a TIFF": _saved("TIFF"),
        "a PDF": b"%PDF-1.7 \xff\xd8\xff",
        "nothing": b"",
    }


def _good_images():
    return {
        "one pixel": _saved("PNG", (1, 1)),
        "a line": _saved("PNG", (65_535, 1)),
        "a PNG that is a ZIP file too": _saved("PNG") + gzip.compress(b"code"),
        "a GIF that is a script too": _saved("GIF") + b"/*'*/=1;alert(1)",
        "an Exif bomb": _exif_bomb(),
    }


def test_hostile_images_are_invalid_and_harmless(served_artifact, photos):
    """S21: what an image says of its size is read before a pixel is."""
    bad, good = _bad_images(), _good_images()
    encoded = [*bad.values(), *good.values(), photos[0]]
    instances = [{"b64": base64.b64encode(one).decode()} for one in encoded]
    before, started = served_artifact.memory_mib, time.monotonic()
    answer = served_artifact.post(PREDICT, {"instances": instances})
    assert answer.status == 200
    found = [row["valid"] for row in answer.json["predictions"]]
    assert dict(zip([*bad, *good, "a photo"], found)) == {
        **dict.fromkeys(bad, False),
        **dict.fromkeys([*good, "a photo"], True),
    }
    assert served_artifact.memory_mib - before < 100
    assert time.monotonic() - started < 10


def test_leaving_clients_free_their_places(served_artifact, photos):
    """A thousand of them, each gone before it is answered."""
    content = json.dumps({"instances": [{"b64": ""}] * 16}).encode()
    head = (
        f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n"
    )

    def leave():
        for _ in range(125):
            address = ("127.0.0.1", served_artifact.rest_port)
            with socket.create_connection(address) as opened:
                opened.sendall(head.encode() + content)

    threads = [threading.Thread(target=leave) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def in_flight():
        text = served_artifact.get("/monitoring/prometheus/metrics").body.decode()
        lines = [one for one in text.splitlines() if one.startswith(":")]
        return {one.rsplit(" ", 1)[0]: float(one.rsplit(" ", 1)[1]) for one in lines}

    def all_left():
        # The metric is as old as the last answer, which this question gives.
        served_artifact.get("/v1/models/digits")
        return in_flight()[":zootune:serving:requests_in_flight"] == 0

    served_artifact.wait_until(all_left, seconds=30)
    # What was queued for them is dropped when its turn comes.
    served_artifact.wait_until(
        lambda: served_artifact.post(PREDICT, content).status == 200, seconds=30
    )
    counts = in_flight()
    gone = ':tensorflow:serving:request_count{model_name="digits",status="CANCELLED"}'
    assert counts[gone] > 0
    # Threads that compute, and a few more that do not grow.
    assert served_artifact.thread_count < 100


def test_a_connection_may_ask_many_times(served_artifact, photos):
    connection = http.client.HTTPConnection("127.0.0.1", served_artifact.rest_port)
    statuses = [
        ask(connection, "POST", PREDICT, body).status
        for body in (b"{", {"instances": [{"b64": ""}]}) * 5
    ]
    connection.close()
    assert statuses == [400, 200] * 5


def test_names_of_models_do_not_make_metrics(served_artifact):
    for i in range(20):
        served_artifact.get(f"/v1/models/made-up-{i}")
    text = served_artifact.get("/monitoring/prometheus/metrics").body
    assert b"made-up" not in text


def test_arrays_of_the_wrong_type_are_named(served_artifact):
    answer = served_artifact.post(PREDICT, {"instances": np.zeros(3).tolist()})
    assert answer.status == 400
    assert "not of expected type: string" in answer.error
