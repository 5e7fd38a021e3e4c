"""Answers are read with the names of the version that gave them, in every client."""

import contextlib
import http.server
import json
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest

import pipelines
from pipelines.errors import ArtifactError, DataError
from pipelines.serving import naming
from pipelines.serving.client import GrpcClient, RestClient, ServerError
from pipelines.serving.server.http import playground
from pipelines.serving.server.models.model_config import ModelConfig
from pipelines.serving.server.settings import Access, Loading, Settings
from tests.support import small_artifacts
from tests.support.servers import serving_here

pytestmark = pytest.mark.serving

OLD, NEW = ["cat", "dog"], ["zebra", "ant", "dog", "cat"]
# Odd to an address, and to nobody else.
NAME = "team/photos: 100 % ä?#"


@pytest.fixture(scope="module")
def versions(tmp_path_factory) -> dict[str, Path]:
    """Versions by what they are, for copying."""
    folder = tmp_path_factory.mktemp("versions")
    make = small_artifacts.make
    return {
        "old": make(folder / "old", OLD),
        "new": make(folder / "new", NEW),
        "plain": make(folder / "plain", NEW[::-1], has_manifest=False),
        "series": make(folder / "series", OLD, modality="series"),
    }


@pytest.fixture(scope="module")
def base(versions, tmp_path_factory) -> Path:
    base = tmp_path_factory.mktemp("base") / "m"
    small_artifacts.publish(versions["old"], base, 1)
    return base


@pytest.fixture(scope="module")
def served(base):
    settings = Settings(
        rest_port=0,
        grpc_port=0,
        playground=True,
        access=Access(cors=True),
        loading=Loading(poll_seconds=0.05),
    )
    with serving_here([ModelConfig(NAME, base)], settings) as served:
        yield served


def clients_of(served, name=NAME) -> list:
    return [
        RestClient(f"http://127.0.0.1:{served.rest_port}", model=name),
        GrpcClient(served.grpc_address, model=name),
    ]


def expected(names, text: str) -> dict[str, float]:
    rest = (1 - small_artifacts.LIKELIEST) / (len(names) - 1)
    which = len(text) % len(names)
    return {
        name: pytest.approx(small_artifacts.LIKELIEST if k == which else rest)
        for k, name in enumerate(names)
    }


def come(served, versions, base, kind, number) -> None:
    small_artifacts.publish(versions[kind], base, number)
    quoted = "/v1/models/team%2Fphotos%3A%20100%20%25%20%C3%A4%3F%23"
    served.wait_until(
        lambda: (
            {"version": str(number), "state": "AVAILABLE"}.items()
            <= served.get(quoted).json["model_version_status"][0].items()
        )
    )


def test_the_same_clients_follow_every_version(served, versions, base):
    """Fewer classes, more, others in the same number, no manifest, another input."""
    clients = clients_of(served)
    text = "seven77"
    names = {"old": OLD, "new": NEW, "plain": NEW[::-1]}
    for number, kind in ((1, "old"), (2, "new"), (3, "plain"), (4, "old"), (5, "new")):
        if number > 1:
            come(served, versions, base, kind, number)
        for client in clients:
            for _ in range(2):
                (found,) = client.predict([text])
                wanted = expected(names[kind], text)
                assert found.probabilities == wanted
                assert list(found.probabilities) == names[kind]
                assert found.label == names[kind][len(text) % len(wanted)]
                assert found.prediction_set == (found.label,)
    come(served, versions, base, "series", 6)
    one = np.full((small_artifacts.STEPS, small_artifacts.CHANNELS), 1.0)
    for client in clients:
        for kind in (np.float64, np.float32, np.float16, int, np.uint8, bool):
            (found,) = client.predict([one.astype(kind)])
            assert (found.label, list(found.probabilities)) == ("cat", OLD)
        with pytest.raises(DataError, match=r"beyond float32"):
            client.predict([one * 1e300])
        with pytest.raises(DataError, match="must be of real numbers"):
            client.predict([one.astype(complex)])
        with pytest.raises(ArtifactError, match=r"series of shape \(6, 2\)"):
            client.predict([one[:3]])
        broken = one.copy()
        broken[2, 1] = np.inf
        (found,) = client.predict([broken])
        assert not found.valid
        assert found.reason == (
            "a value is inf at step 2, channel 1; 1 in all are infinite"
        )
    come(served, versions, base, "new", 7)
    for client in clients:
        found, blank = client.predict([text, ""])
        assert found.probabilities == expected(NEW, text)
        assert (blank.valid, blank.reason) == (False, "the text is blank")


def test_rest_names_the_version_in_headers(served, versions, base):
    quoted = "/v1/models/team%2Fphotos%3A%20100%20%25%20%C3%A4%3F%23"
    metadata = served.get(f"{quoted}/metadata")
    number = metadata.json["model_spec"]["version"]
    names = metadata.json["metadata"][naming.CLASS_NAMES]
    answer = served.post(f"{quoted}:predict", {"instances": ["a"]})
    assert set(answer.json) == {"predictions"}
    assert answer.headers[naming.VERSION_HEADER] == number
    assert answer.headers[naming.CLASSES_HEADER] == naming.digest(names)
    exposed = answer.headers["access-control-expose-headers"]
    assert set(naming.HEADERS) <= set(exposed.split(", "))
    request = {"signature_name": "classify", "examples": [{}]}
    pinned = served.post(f"{quoted}/versions/{number}:classify", request)
    assert [name for name, _ in pinned.json["results"][0]] == names
    assert pinned.headers[naming.VERSION_HEADER] == number


def test_answers_are_right_while_versions_change(served, versions, base):
    text, stop, wrong, counts = "seven77", threading.Event(), [], []

    def ask(client) -> None:
        while not stop.is_set():
            try:
                (found,) = client.predict([text])
            except ServerError as error:
                wrong.append(str(error))
                return
            names = list(found.probabilities)
            if names not in (OLD, NEW) or found.probabilities != expected(names, text):
                wrong.append(found)
            counts.append(len(names))

    threads = [
        threading.Thread(target=ask, args=(client,)) for client in clients_of(served)
    ]
    for thread in threads:
        thread.start()
    for number in range(10, 16):
        come(served, versions, base, ("old", "new")[number % 2], number)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert set(counts) == {len(OLD), len(NEW)}


def test_clients_follow_another_server_at_the_same_address(versions, tmp_path):
    """Started with another model, so that the number of a version says nothing."""
    swapped = small_artifacts.make(tmp_path / "swapped", OLD[::-1])
    bases = {}
    for kind, source in (("old", versions["old"]), ("swapped", swapped)):
        bases[kind] = tmp_path / f"base-{kind}" / "m"
        small_artifacts.publish(source, bases[kind], 1)
    settings = Settings(rest_port=0, grpc_port=0)
    with serving_here([ModelConfig("m", bases["old"])], settings) as first:
        settings = Settings(rest_port=first.rest_port, grpc_port=first.grpc_port)
        clients = clients_of(first, "m")
        for client in clients:
            assert client.predict(["a"])[0].probabilities == expected(OLD, "a")
    with serving_here([ModelConfig("m", bases["swapped"])], settings):
        for client in clients:
            prediction = client.predict(["a"])[0]
            assert prediction.probabilities == expected(OLD[::-1], "a")
            assert prediction.label == "cat"


class _SaysNothing(http.server.BaseHTTPRequestHandler):
    """A server as TensorFlow Serving is: what ours says, without our headers."""

    port = 0

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        import http.client

        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        there = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(there):
            there.request(self.command, self.path, body)
            answer = there.getresponse()
            content = answer.read()
        if self.path.endswith("/metadata") and answer.status == 200:
            values = json.loads(content)
            values["metadata"].pop(naming.CLASS_NAMES, None)
            content = json.dumps(values).encode()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_) -> None:
        pass


def test_server_without_version_headers_is_followed(served, versions, base):
    handler = type("Handler", (_SaysNothing,), {"port": served.rest_port})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{proxy.server_address[1]}"
            client = RestClient(url, model=NAME)
            for number, kind, names in ((20, "old", OLD), (21, "new", NEW)):
                come(served, versions, base, kind, number)
                for _ in range(2):
                    found = client.predict(["seven77"])[0]
                    assert found.probabilities == expected(names, "seven77")
        finally:
            proxy.shutdown()
            thread.join()


def test_page_shows_names_of_answering_version(served, versions, base):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node, which runs the script of the page")
    here = Path(__file__).parent
    page = Path(playground.__file__).parent / "playground_page" / "page.js"
    come(served, versions, base, "old", 30)
    url = f"http://127.0.0.1:{served.rest_port}"
    with subprocess.Popen(
        [node, here / "page_in_node.mjs", page, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert f"{NAME} knows 2 classes." in process.stdout.readline()
        for number, kind, names in (
            (30, "old", OLD),
            (31, "new", NEW),
            (32, "old", OLD),
        ):
            if number > 30:
                come(served, versions, base, kind, number)
            process.stdin.write("seven77\n")
            process.stdin.flush()
            shown = json.loads(process.stdout.readline())
            assert dict(zip(shown["names"], shown["shares"])) == expected(
                names, "seven77"
            )
            label = names[len("seven77") % len(names)]
            assert shown["names"][0] == label
            assert f"seven77: {label}, 75.0 %, accepted" in shown["said"]
        process.stdin.close()


def test_three_ways_to_ask_give_the_same(versions, tmp_path):
    """In process, and what clients made of the same would be asked."""
    predictor = pipelines.load(small_artifacts.publish(versions["series"], tmp_path, 1))
    one = np.full((small_artifacts.STEPS, small_artifacts.CHANNELS), 1.0)
    for kind in (np.float64, np.float32, np.float16, int, np.uint8, bool):
        assert predictor.predict([one.astype(kind)])[0].label == "cat"
    shutil.rmtree(tmp_path / "1")
