"""One file over http or https: whole and as expected, or an error that says why.

A part that an earlier attempt left is continued only if the server confirms, by its
validator (https://www.rfc-editor.org/rfc/rfc9110#name-if-range), that the file is still
the same; otherwise it starts over.
"""

from __future__ import annotations

import dataclasses
import functools
import http.client
import json
import os
import re
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from zoo.errors import DownloadError, WrongContentError
from zoo.storage.hashing import hash_file
from zoo.storage.progress import Progress, silent

_PIECE_BYTES = 1 << 16
_REDIRECTS = 5
# An attempt that brought so much was worth it; less does not count as getting further.
_NEW_BYTES = 1 << 20
_PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}
_CONTENT_RANGE = re.compile(r"bytes (?P<first>\d+)-\d+/(?P<total>\d+|\*)")
_HTML = (b"<!doctype html", b"<html", b"<head")


@dataclasses.dataclass(frozen=True)
class Expected:
    """What is known of a file before it is here.

    `ends_itself`: its format notices a missing end, as an archive's does, so that a
    server may leave the length unsaid even where no digest is known.
    """

    sha256: str | None = None
    md5: str | None = None
    maximum_bytes: int = 8 * 2**30
    ends_itself: bool = False

    @property
    def digests(self) -> dict[str, str]:
        known = {"sha256": self.sha256, "md5": self.md5}
        return {name: digest for name, digest in known.items() if digest}


@dataclasses.dataclass(frozen=True)
class Patience:
    """How long to wait, and how often to try without getting any further."""

    connect_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 30.0
    attempts: int = 4
    backoff_seconds: float = 0.5


def download(
    url: str,
    path: Path,
    *,
    expected: Expected,
    patience: Patience | None = None,
    progress: Progress = silent,
) -> None:
    """Brings the file at `url` to `path`, going on from what is there already.

    When it is interrupted, what is there stays for the next call, with the validator
    beside it.

    Raises:
        DownloadError: if the file cannot be had.
        WrongContentError: if it is too large, a web page, or has another digest.
    """
    patience = patience or Patience()
    part = _Part(path, url)
    transfer = functools.partial(
        _transfer, _opener(patience), part, expected, patience, progress
    )
    retries = _Retries(part, patience)
    while True:
        try:
            certain = transfer()
            _check_digests(part, expected, certain=certain)
        except _PassingError as error:
            retries.wait_after(error)
        else:
            part.finish()
            return


class _PassingError(Exception):
    """A failure that may be gone at the next attempt."""


@dataclasses.dataclass(frozen=True)
class _Part:
    """What is here of a file, and the server's validator of the version it is from."""

    path: Path
    url: str

    @property
    def shown(self) -> str:
        """The address without its query, which may hold a token."""
        return self.url.partition("?")[0]

    @property
    def _note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def validator(self) -> str | None:
        """The one to continue with, if there is something to continue."""
        try:
            note = json.loads(self._note.read_text())
            usable = self.size > 0 and note["url"] == self.shown
            return note["validator"] if usable else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def restart(self, validator: str | None) -> None:
        # In this order: a note never speaks of bytes that came with another one.
        self._note.unlink(missing_ok=True)
        self.path.write_bytes(b"")
        if validator:
            note = {"url": self.shown, "validator": validator}
            self._note.write_text(json.dumps(note))

    def discard(self) -> None:
        self._note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def finish(self) -> None:
        with self.path.open("rb+") as stream:
            os.fsync(stream.fileno())
        self._note.unlink(missing_ok=True)


class _Retries:
    """Waits longer after each failure, and gives up when nothing new comes."""

    def __init__(self, part: _Part, patience: Patience):
        self._part, self._patience = part, patience
        self._failures, self._reached = 0, part.size

    def wait_after(self, error: _PassingError) -> None:
        grown = self._part.size >= self._reached + _NEW_BYTES
        self._reached = max(self._reached, self._part.size)
        self._failures = 1 if grown else self._failures + 1
        if self._failures >= self._patience.attempts:
            kept = self._part.size
            again = f" {kept:,} bytes are kept; try again to go on." if kept else ""
            raise DownloadError(
                f"{self._part.shown} could not be fetched in"
                f" {self._patience.attempts} attempts: {error}.{again}"
            ) from error
        time.sleep(self._patience.backoff_seconds * 2 ** (self._failures - 1))


def _transfer(
    opener: urllib.request.OpenerDirector,
    part: _Part,
    expected: Expected,
    patience: Patience,
    progress: Progress,
) -> bool:
    """One request. Tells whether all came in one answer whose length was known."""
    validator = part.validator()
    with _answer(opener, part, validator, patience) as response:
        _refuse_pages(part, response)
        continued = response.status == http.client.PARTIAL_CONTENT
        total = _total_bytes(part, response, validator, continued=continued)
        _check_length(part, response, total, expected)
        if not continued:
            part.restart(_validator_of(response.headers))
        _write(part, response, total, expected, progress)
    if total is not None and part.size != total:
        raise _PassingError(f"the connection ended after {part.size} of {total} bytes")
    return total is not None and not continued


def _write(
    part: _Part,
    response: http.client.HTTPResponse,
    total: int | None,
    expected: Expected,
    progress: Progress,
) -> None:
    here = part.size
    progress(here, total)
    # Unbuffered: what has come is kept, however this process ends.
    with part.path.open("ab", buffering=0) as stream:
        for piece in _pieces(response):
            if here == 0 and piece[:512].lstrip().lower().startswith(_HTML):
                raise _refused(part, "is a web page, not the file")
            here += len(piece)
            if here > expected.maximum_bytes:
                raise _too_large(part, expected)
            stream.write(piece)
            progress(here, total)


def _pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        try:
            piece = response.read1(_PIECE_BYTES)
        except TimeoutError as error:
            raise _PassingError("the server stopped sending") from error
        except (http.client.HTTPException, OSError) as error:
            raise _PassingError(f"the connection broke ({error!r})") from error
        if not piece:
            return
        yield piece


def _answer(
    opener: urllib.request.OpenerDirector,
    part: _Part,
    validator: str | None,
    patience: Patience,
) -> http.client.HTTPResponse:
    """The server's answer, with status 200 or 206."""
    headers = {"User-Agent": "zootune", "Accept-Encoding": "identity"}
    if validator:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": validator}
    try:
        request = urllib.request.Request(part.url, headers=headers)
        response = opener.open(request, timeout=patience.connect_timeout_seconds)
    except urllib.error.HTTPError as error:
        error.close()
        raise _status_error(part, error, asked_for_rest=bool(validator)) from error
    except urllib.error.URLError as error:
        raise _connection_error(part, error.reason) from error
    except (http.client.InvalidURL, ValueError) as error:
        raise DownloadError(f"'{part.shown}' is no address: {error}.") from error
    except (http.client.HTTPException, OSError) as error:
        raise _connection_error(part, error) from error
    if response is None:
        raise DownloadError(f"{part.shown} is no http or https address.")
    if response.status not in (http.client.OK, http.client.PARTIAL_CONTENT):
        raise DownloadError(f"{part.shown} answered {response.status}, not a file.")
    return response


def _status_error(
    part: _Part, error: urllib.error.HTTPError, *, asked_for_rest: bool
) -> Exception:
    if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and asked_for_rest:
        part.discard()
        return _PassingError("the part that is here does not fit the file")
    if error.code in _PASSING_STATUS:
        return _PassingError(f"it answered {error.code} {error.reason}")
    if isinstance(error, _RedirectError) or 300 <= error.code < 400:
        return DownloadError(f"{part.shown} redirects where we do not go: {error.msg}.")
    return DownloadError(
        f"{part.shown} answered {error.code} {error.reason}. Check the address."
    )


def _connection_error(part: _Part, reason: Any) -> Exception:
    if isinstance(reason, TimeoutError):
        return _PassingError("it did not answer in time")
    final = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)
    passing = (ConnectionError, http.client.HTTPException, ssl.SSLError)
    if isinstance(reason, passing) and not isinstance(reason, final):
        return _PassingError(f"the connection broke ({reason!r})")
    return DownloadError(
        f"{part.shown} cannot be reached: {reason}. Check the network, and the"
        " variables http_proxy and https_proxy if there is a proxy."
    )


def _refuse_pages(part: _Part, response: http.client.HTTPResponse) -> None:
    if response.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
        raise _refused(part, "is a web page, not the file")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise _refused(part, "comes encoded though it was asked for as it is")


def _total_bytes(
    part: _Part,
    response: http.client.HTTPResponse,
    validator: str | None,
    *,
    continued: bool,
) -> int | None:
    """The size of the whole file, if the server says it."""
    if not continued:
        return response.length
    matched = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    same = validator is not None and validator == _validator_of(response.headers)
    if not matched or int(matched["first"]) != part.size or not same:
        part.discard()
        raise _PassingError("the file changed between two parts")
    return int(matched["total"]) if matched["total"] != "*" else None


def _validator_of(headers: http.client.HTTPMessage) -> str | None:
    """The ETag, or the date; a weak ETag does not promise the same bytes."""
    tag = headers.get("ETag")
    return tag if tag and tag.startswith('"') else headers.get("Last-Modified")


def _check_length(
    part: _Part,
    response: http.client.HTTPResponse,
    total: int | None,
    expected: Expected,
) -> None:
    if total is not None and total > expected.maximum_bytes:
        raise _too_large(part, expected)
    said = total is not None or response.chunked
    if not said and not expected.digests and not expected.ends_itself:
        raise _refused(
            part,
            "comes without its length, and its sha256 is not known, so nobody could"
            " tell whether it is whole",
        )


def _check_digests(part: _Part, expected: Expected, *, certain: bool) -> None:
    for algorithm, digest in expected.digests.items():
        found = hash_file(part.path, algorithm)
        if found == digest.lower():
            continue
        error = _refused(
            part, f"is not the expected file: its {algorithm} is {found}, not {digest}"
        )
        if certain:
            raise error
        # Joined from parts, or perhaps cut: from the beginning it may be right.
        raise _PassingError(str(error).rstrip("."))


def _too_large(part: _Part, expected: Expected) -> WrongContentError:
    return _refused(part, f"is larger than {expected.maximum_bytes:,} bytes")


def _refused(part: _Part, what: str) -> WrongContentError:
    part.discard()
    return WrongContentError(f"{part.shown} {what}. It was thrown away.")


class _RedirectError(urllib.error.HTTPError):
    """A redirect that is not followed."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a few redirects, and none from https to anything else."""

    max_redirections = _REDIRECTS
    max_repeats = 1

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme != "https" and not (scheme == req.type == "http"):
            said = f"from {req.type} to {scheme}"
            raise _RedirectError(req.full_url, code, said, headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _ReadTimeout:
    """A connection whose reads may take another time than connecting to it."""

    def __init__(self, *arguments: Any, read_timeout_seconds: float, **options: Any):
        super().__init__(*arguments, **options)
        self._read_timeout_seconds = read_timeout_seconds

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.sock: socket.socket
        self.sock.settimeout(self._read_timeout_seconds)


class _HTTPConnection(_ReadTimeout, http.client.HTTPConnection):
    pass


class _HTTPSConnection(_ReadTimeout, http.client.HTTPSConnection):
    pass


def _opener(patience: Patience) -> urllib.request.OpenerDirector:
    """Speaks http and https, through the user's proxy, and no other protocol."""
    limit: dict[str, Any] = {"read_timeout_seconds": patience.read_timeout_seconds}
    connect: Callable[..., Any] = functools.partial(_HTTPConnection, **limit)
    connect_tls: Callable[..., Any] = functools.partial(
        _HTTPSConnection, **limit, context=ssl.create_default_context()
    )

    class Http(urllib.request.HTTPHandler):
        def http_open(self, req):
            return self.do_open(connect, req)

    class Https(urllib.request.HTTPSHandler):
        def https_open(self, req):
            return self.do_open(connect_tls, req)

    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        Http(),
        Https(),
        _Redirects(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener
