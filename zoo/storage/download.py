"""Fetches one file over http or https, whole and as expected.

A part left by an earlier attempt is continued only if the server confirms, by its
validator (https://www.rfc-editor.org/rfc/rfc9110#name-if-range), that the file is still
the same; otherwise the file starts over.
"""

from __future__ import annotations

import dataclasses
import functools
import http.client
import json
import os
import re
import ssl
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import urllib3
from tqdm import tqdm
from urllib3 import exceptions

from zoo.errors import DownloadError, WrongContentError
from zoo.storage.hashing import hash_file
from zoo.storage.terms import Expected, Patience

_PIECE_BYTES = 1 << 16
_REDIRECTS = 5
# An attempt that brings fewer bytes than this does not count as getting further.
_NEW_BYTES = 1 << 20
_RETRY_AFTER_SECONDS = 60
_RETRIED_STATUS = {408, 425, 429, 500, 502, 503, 504}
_CONTENT_RANGE = re.compile(r"bytes (?P<first>\d+)-\d+/(?P<total>\d+|\*)")
_HTML = (b"<!doctype html", b"<html", b"<head")
_TERMINAL_SECONDS, _LOG_SECONDS = 0.1, 10.0


def download(
    url: str,
    path: Path,
    *,
    expected: Expected,
    patience: Patience | None = None,
    label: str | None = None,
) -> None:
    """Brings the file at `url` to `path`, continuing a part that is already there.

    An interrupted download leaves its part, and the validator beside it, for the next
    call. With a `label`, a progress bar of that name is shown on stderr.

    Raises:
        DownloadError: if the file is not available.
        WrongContentError: if it is too large, a web page, or has another digest.
    """
    patience = patience or Patience()
    part = _Part(path, url)
    transfer = functools.partial(_transfer, _Client(patience), part, expected, label)
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
    """A failure that another attempt may not meet."""

    def __init__(
        self, message: str, response: urllib3.BaseHTTPResponse | None = None
    ) -> None:
        super().__init__(message)
        self.response = response


@dataclasses.dataclass(frozen=True)
class _Part:
    """The bytes of a file on disk, and the server's validator of their version."""

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
        """The validator to continue with, if there is something to continue."""
        try:
            note = json.loads(self._note.read_text())
            usable = self.size > 0 and note["url"] == self.shown
            return note["validator"] if usable else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def restart(self, validator: str | None) -> None:
        # In this order: a note never describes bytes of another version.
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

    def __init__(self, part: _Part, patience: Patience) -> None:
        self._part, self._attempts = part, patience.attempts
        self._all = urllib3.Retry(
            patience.attempts - 1,
            backoff_factor=patience.backoff_seconds,
            retry_after_max=_RETRY_AFTER_SECONDS,
        )
        self._left, self._reached = self._all, part.size

    def wait_after(self, error: _PassingError) -> None:
        """Waits as long as the server asks, or as the failures so far suggest.

        Raises:
            DownloadError: after as many failures without new bytes as are allowed.
        """
        size = self._part.size
        if size >= self._reached + _NEW_BYTES:
            self._left = self._all
        self._reached = max(self._reached, size)
        try:
            self._left = self._left.increment(error=error)
        except exceptions.MaxRetryError:
            again = f" {size:,} bytes are kept; try again to go on." if size else ""
            raise DownloadError(
                f"{self._part.shown} could not be fetched in {self._attempts} attempts:"
                f" {error}.{again}"
            ) from error
        self._left.sleep(error.response)


def _transfer(
    client: _Client, part: _Part, expected: Expected, label: str | None
) -> bool:
    """One request. True if all came in a single answer whose length was known."""
    validator = part.validator()
    with _answer(client, part, validator) as response:
        _refuse_pages(part, response)
        continued = response.status == http.client.PARTIAL_CONTENT
        total = _total_bytes(part, response, validator, continued=continued)
        _check_length(part, response, total, expected)
        if not continued:
            part.restart(_validator_of(response.headers))
        _write(part, response, total, expected, label)
    if total is not None and part.size != total:
        raise _PassingError(f"the connection ended after {part.size} of {total} bytes")
    return total is not None and not continued


def _write(
    part: _Part,
    response: urllib3.HTTPResponse,
    total: int | None,
    expected: Expected,
    label: str | None,
) -> None:
    size = part.size
    # Unbuffered: what has come is kept, however this process ends.
    with (
        _progress_bar(label, size, total) as bar,
        part.path.open("ab", buffering=0) as stream,
    ):
        for piece in _pieces(response):
            if size == 0 and piece[:512].lstrip().lower().startswith(_HTML):
                raise _refused(part, "is a web page, not the file")
            size += len(piece)
            if size > expected.maximum_bytes:
                raise _too_large(part, expected)
            stream.write(piece)
            bar.update(len(piece))


def _progress_bar(label: str | None, size: int, total: int | None) -> tqdm[Any]:
    """A bar on stderr: alive on a terminal, and rarely drawn in a log."""
    # A logger in the place of stderr may have nothing but `write` and `flush`.
    is_terminal = getattr(sys.stderr, "isatty", bool)()
    return tqdm(
        desc=label,
        initial=size,
        total=total,
        unit="B",
        unit_scale=True,
        mininterval=_TERMINAL_SECONDS if is_terminal else _LOG_SECONDS,
        disable=label is None or sys.stderr is None,  # a service may have none
    )


def _pieces(response: urllib3.HTTPResponse) -> Iterator[bytes]:
    while True:
        try:
            piece = response.read1(_PIECE_BYTES, decode_content=False)
        except exceptions.ReadTimeoutError as error:
            raise _PassingError("the server stopped sending") from error
        except (exceptions.HTTPError, OSError) as error:
            raise _PassingError(f"the connection broke ({error!r})") from error
        if not piece:
            return
        yield piece


def _answer(
    client: _Client, part: _Part, validator: str | None
) -> urllib3.HTTPResponse:
    """The server's answer, with status 200 or 206, after its redirects."""
    headers = {"User-Agent": "zootune", "Accept-Encoding": "identity"}
    if validator:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": validator}
    addresses = [part.url]
    while True:
        response = _request(client, part, addresses[-1], headers)
        location = response.get_redirect_location()
        if not location:
            break
        response.close()
        addresses.append(_next_address(part, addresses, location))
    if response.status in (http.client.OK, http.client.PARTIAL_CONTENT):
        return response
    response.close()
    raise _status_error(part, response, asked_for_rest=bool(validator))


def _request(
    client: _Client, part: _Part, url: str, headers: Mapping[str, str]
) -> urllib3.HTTPResponse:
    try:
        return client.get(url, headers)
    except exceptions.LocationValueError as error:
        raise DownloadError(f"'{part.shown}' is not an address.") from error
    except (exceptions.HTTPError, OSError) as error:
        raise _connection_error(part, error) from error


def _next_address(part: _Part, addresses: list[str], location: str) -> str:
    """The address that a redirect names, if it is one to follow."""
    url = urllib.parse.urljoin(addresses[-1], location)
    old, new = (urllib.parse.urlsplit(hop).scheme for hop in (addresses[-1], url))
    if new != "https" and not (new == old == "http"):
        reason = f"from {old} to {new}"
    elif url in addresses:
        reason = "in an infinite loop"
    elif len(addresses) > _REDIRECTS:
        reason = f"more than {_REDIRECTS} times"
    else:
        return url
    raise DownloadError(f"{part.shown} redirects where we do not go: {reason}.")


def _status_error(
    part: _Part, response: urllib3.HTTPResponse, *, asked_for_rest: bool
) -> Exception:
    status = response.status
    if status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and asked_for_rest:
        part.discard()
        return _PassingError("the part on this machine does not fit the file")
    answer = f"answered {status} {response.reason or ''}".rstrip()
    if status in _RETRIED_STATUS:
        return _PassingError(f"it {answer}", response)
    if status < 400:
        return DownloadError(f"{part.shown} {answer}, not a file.")
    return DownloadError(f"{part.shown} {answer}. Check the address.")


def _connection_error(part: _Part, error: Exception) -> Exception:
    if isinstance(error, exceptions.ProxyError):
        error = error.original_error
    if isinstance(error, exceptions.NewConnectionError):
        reason: Any = error.__cause__ or error  # refused, unreachable, no such name
    elif isinstance(error, exceptions.TimeoutError):
        return _PassingError("it did not answer in time")
    else:
        reason = error.args[0] if isinstance(error, exceptions.SSLError) else error
        if not isinstance(reason, ssl.SSLCertVerificationError):
            return _PassingError(f"the connection broke ({error!r})")
    return DownloadError(
        f"{part.shown} cannot be reached: {reason}. Check the network, and the"
        " variables http_proxy and https_proxy if there is a proxy."
    )


def _refuse_pages(part: _Part, response: urllib3.HTTPResponse) -> None:
    content_type = response.headers.get("Content-Type", "").partition(";")[0]
    if content_type.strip().lower() in ("text/html", "application/xhtml+xml"):
        raise _refused(part, "is a web page, not the file")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise _refused(part, "comes encoded though it was requested unencoded")


def _total_bytes(
    part: _Part,
    response: urllib3.HTTPResponse,
    validator: str | None,
    *,
    continued: bool,
) -> int | None:
    """The size of the whole file, if the server names it."""
    if not continued:
        return response.length_remaining
    matched = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    same = validator is not None and validator == _validator_of(response.headers)
    if not matched or int(matched["first"]) != part.size or not same:
        part.discard()
        raise _PassingError("the file changed between two parts")
    return int(matched["total"]) if matched["total"] != "*" else None


def _validator_of(headers: Mapping[str, str]) -> str | None:
    """The ETag, or the date; a weak ETag does not promise the same bytes."""
    tag = headers.get("ETag")
    return tag if tag and tag.startswith('"') else headers.get("Last-Modified")


def _check_length(
    part: _Part,
    response: urllib3.HTTPResponse,
    total: int | None,
    expected: Expected,
) -> None:
    if total is not None and total > expected.maximum_bytes:
        raise _too_large(part, expected)
    has_end = total is not None or response.chunked
    if not has_end and not expected.digests and not expected.ends_itself:
        raise _refused(
            part,
            "comes without its length, and its sha256 is not known, so a missing end"
            " would go unnoticed",
        )


def _check_digests(part: _Part, expected: Expected, *, certain: bool) -> None:
    for algorithm, digest in expected.digests.items():
        actual = hash_file(part.path, algorithm)
        if actual == digest.lower():
            continue
        problem = f"is not the expected file: its {algorithm} is {actual}, not {digest}"
        error = _refused(part, problem)
        if certain:
            raise error
        # Joined from parts, or perhaps cut: from the beginning it may be right.
        raise _PassingError(str(error).rstrip("."))


def _too_large(part: _Part, expected: Expected) -> WrongContentError:
    return _refused(part, f"is larger than {expected.maximum_bytes:,} bytes")


def _refused(part: _Part, problem: str) -> WrongContentError:
    part.discard()
    return WrongContentError(f"{part.shown} {problem}. It was thrown away.")


class _Client:
    """Speaks http and https, through the user's proxy, and no other protocol."""

    def __init__(self, patience: Patience) -> None:
        self._options: dict[str, Any] = {
            "timeout": urllib3.Timeout(
                connect=patience.connect_timeout_seconds,
                read=patience.read_timeout_seconds,
            ),
            "ssl_context": ssl.create_default_context(),
        }

    def get(self, url: str, headers: Mapping[str, str]) -> urllib3.HTTPResponse:
        """The answer to one request, whatever its status; its body is not read yet.

        Raises:
            DownloadError: if the protocol is neither http nor https.
            urllib3.exceptions.HTTPError: if there is no answer.
        """
        try:
            parts = urllib.parse.urlsplit(url)
        except ValueError as error:
            raise exceptions.LocationParseError(url) from error
        if parts.scheme not in ("http", "https"):
            shown = url.partition("?")[0]
            raise DownloadError(f"{shown} is not an http or https address.")
        response = self._manager(parts).request(
            "GET",
            url,
            headers=dict(headers, Connection="close"),
            # Here, each of them would start the file over, or go anywhere.
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
            # So that we can say how many bytes came before it ended.
            enforce_content_length=False,
        )
        return cast("urllib3.HTTPResponse", response)

    def _manager(self, parts: urllib.parse.SplitResult) -> urllib3.PoolManager:
        """Connections to an address: straight, or through the proxy of its protocol."""
        proxy = urllib.request.getproxies().get(parts.scheme)
        host = parts.netloc.rpartition("@")[2]
        if not proxy or urllib.request.proxy_bypass(host):
            return urllib3.PoolManager(**self._options)
        if "://" not in proxy:
            proxy = f"http://{proxy}"
        login = urllib3.util.parse_url(proxy).auth
        plain = urllib.parse.unquote(login) if login else None
        headers = urllib3.make_headers(proxy_basic_auth=plain)
        return urllib3.ProxyManager(proxy, proxy_headers=headers, **self._options)
