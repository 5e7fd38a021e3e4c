"""A web site that misbehaves as it is told to, and the files of text rows."""

import contextlib
import dataclasses
import http.server
import socket
import threading
import time

import pytest

from tests.support import kept
from zoo.catalog import text
from zoo.storage.terms import Patience
from zoo.weights import files as weight_files


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the site says to one request for a file.

    `cut_at` ends the connection and `stall_at` stops sending after so many bytes of
    this answer; `said_length` lies about the length, and `None` says none;
    `piece_seconds` is the pause after every 16 KiB.
    """

    body: bytes = b""
    status: int = 200
    content_type: str = "application/octet-stream"
    etag: str | None = '"1"'
    location: str | None = None
    ranges: bool = True
    minds_if_range: bool = True
    said_length: int | None = -1
    chunked: bool = False
    cut_at: int | None = None
    stall_at: int | None = None
    piece_seconds: float = 0.0
    encoding: str | None = None
    retry_after: str | None = None


class Site:
    """Answers at `address`, in the order in which they were given for a path."""

    def __init__(self):
        self.requests: list[tuple[str, str | None]] = []
        self.logins: list[str | None] = []
        self._answers: dict[str, list[Answer]] = {}
        self.stopped = threading.Event()

        class Handler(_Handler):
            site = self

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def at(self, path: str, *answers: Answer) -> str:
        """Gives the address of a path; the last answer is given again and again."""
        self._answers[f"/{path}"] = list(answers)
        return f"{self.address}/{path}"

    def instead_of(self, url: str, *answers: Answer) -> str:
        """Answers as a proxy what is asked of another server."""
        self._answers[url] = list(answers)
        return url

    def next_answer(self, path: str) -> Answer:
        answers = self._answers.get(path, [Answer(b"nothing", status=404)])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def ranges(self) -> list[str | None]:
        return [asked for _, asked in self.requests]

    def stop(self) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self):
        asked = self.headers.get("Range")
        self.site.requests.append((self.path, asked))
        self.site.logins.append(self.headers.get("Proxy-Authorization"))
        answer = self.site.next_answer(self.path)
        start, body = self._part(answer, asked)
        self._head(answer, start, body)
        self.close_connection = True
        with contextlib.suppress(OSError):  # The client may have heard enough.
            self._send(answer, body)

    def _part(self, answer, asked):
        same = self.headers.get("If-Range") == answer.etag or not answer.minds_if_range
        if not (asked and answer.ranges and same and answer.status == 200):
            return None, answer.body
        start = int(asked.removeprefix("bytes=").partition("-")[0])
        return start, answer.body[start:]

    def _head(self, answer, start, body):
        total = len(answer.body)
        if start is not None and start >= total:
            self.send_response(416)
        elif start is not None:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(answer.status)
        optional = {
            "Content-Type": answer.content_type,
            "ETag": answer.etag,
            "Location": answer.location,
            "Content-Encoding": answer.encoding,
            "Retry-After": answer.retry_after,
            "Connection": "close",
        }
        if answer.chunked:
            optional["Transfer-Encoding"] = "chunked"
        elif answer.said_length is not None:
            said = len(body) if answer.said_length < 0 else answer.said_length
            optional["Content-Length"] = str(said)
        for name, value in optional.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()

    def _send(self, answer, body):
        ends = [end for end in (answer.cut_at, answer.stall_at) if end is not None]
        body = body[: min(ends)] if ends else body
        for start in range(0, len(body), 1 << 14):
            piece = body[start : start + (1 << 14)]
            chunk = b"%x\r\n%b\r\n" % (len(piece), piece)
            self.wfile.write(chunk if answer.chunked else piece)
            time.sleep(answer.piece_seconds)
        if answer.stall_at is not None:
            self.site.stopped.wait(5)
        elif answer.chunked and answer.cut_at is None:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


@pytest.fixture
def site(monkeypatch):
    """A site on loopback, reached without whatever proxy the user has."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    # Tests of what is refused without it take it back.
    monkeypatch.setenv("ZOOTUNE_ALLOW_UNPINNED", "1")
    running = Site()
    yield running
    running.stop()


@pytest.fixture
def closed_address():
    """An address on this machine where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def answer():
    """The class of answers: files of tests cannot import from each other."""
    return Answer


@pytest.fixture
def patience():
    """As that of users, in hundredths of their time."""
    return Patience(
        connect_timeout_seconds=1.0,
        read_timeout_seconds=0.3,
        attempts=3,
        backoff_seconds=0.01,
    )


@pytest.fixture(scope="session")
def text_store():
    """The home of a store with the published files of all text rows.

    It stays for later runs: they are 115 MB.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ZOOTUNE_HOME", str(kept.HOME))
        patched.delenv("ZOOTUNE_OFFLINE", raising=False)
        for spec in text.SPECS:
            for file in weight_files.files(spec):
                weight_files.obtain(spec, file)
    return kept.HOME


@pytest.fixture
def text_files(text_store, monkeypatch):
    """Text rows find their files."""
    monkeypatch.setenv("ZOOTUNE_HOME", str(text_store))
