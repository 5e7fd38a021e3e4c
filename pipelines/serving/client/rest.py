"""The client over REST, which needs neither TensorFlow nor the training code."""

from __future__ import annotations

import base64
import json
import os
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import urllib3

from pipelines.serving import naming
from pipelines.serving.client.versions import (
    NO_ANSWER,
    NOT_FOUND,
    ModelClient,
    ModelVersion,
    Retryable,
    ServerError,
    VersionGone,
    VersionId,
    input_spec_of,
    numbered,
    retried,
    table_spec_of,
    warn_of_plain_token,
)
from pipelines.serving.examples.inputs import TABLE, InputSpec

_RETRY_STATUSES = (429, 503)
# `classify` names all classes, also for an empty example.
_EMPTY_EXAMPLE = {"signature_name": "classify", "examples": [{}]}


class RestClient(ModelClient):
    """Predictions of one model over REST; any number of threads may share it.

    `address` is the server's URL, such as `http://127.0.0.1:8501`.
    """

    def _connect(self, address: str, ca_file: Path | None) -> None:
        # A name may have a slash or a colon in it, which mean something in an address.
        name = urllib.parse.quote(self._model, safe="")
        self._base = f"{address.rstrip('/')}/v1/models/{name}"
        self._headers: dict[str, str] = {}
        if self._token:
            self._headers["Authorization"] = f"Bearer {self._token}"
            url = urllib.parse.urlsplit(address)
            if url.scheme == "http":
                warn_of_plain_token(url.hostname or "", "https://")
        self._ca_file = ca_file
        self._pool = self._new_pool()
        # True while answers name their version. TensorFlow Serving's do not, so a
        # version is asked for by its number.
        self._says_whose = True

    def _new_pool(self) -> urllib3.PoolManager:
        ca_certs = str(self._ca_file) if self._ca_file else None
        return urllib3.PoolManager(maxsize=16, ca_certs=ca_certs, retries=False)

    def _describe(self, version: int | None, deadline: float) -> ModelVersion:
        which = "" if version is None else f"/versions/{version}"
        answer, _ = self._ask("GET", f"{which}/metadata", None, deadline)
        number = int(answer["model_spec"]["version"])
        metadata = answer["metadata"]
        signatures = metadata["signature_def"]["signature_def"]
        names = metadata.get(naming.CLASS_NAMES)
        if names is None and "values" in signatures[naming.DEFAULT]["outputs"]:
            names = numbered(_columns(signatures[naming.DEFAULT]["outputs"]["values"]))
        elif names is None and "anomaly_score" in signatures[naming.DEFAULT]["outputs"]:
            names = naming.ANOMALY_KINDS
        elif names is None:
            # `classify` names all classes, also for an empty example.
            path = f"/versions/{number}:classify"
            answer, _ = self._ask("POST", path, _EMPTY_EXAMPLE, deadline)
            (pairs,) = answer["results"]
            names = [name for name, _ in pairs]
        return ModelVersion(number, _takes_of(signatures), tuple(names))

    def _answers(
        self, model: ModelVersion, examples: list[Any], deadline: float
    ) -> tuple[Sequence[Mapping[str, Any]], VersionId]:
        request = {"instances": [_as_json(example) for example in examples]}
        if self._says_whose:
            answer, headers = self._ask("POST", ":predict", request, deadline)
            whose = _whose(headers)
            if whose.version is not None:
                return answer["predictions"], whose
            self._says_whose = False
        number = self._number_of_newest(deadline)
        path = f"/versions/{number}:predict"
        answer, _ = self._ask("POST", path, request, deadline)
        return answer["predictions"], VersionId(number)

    def _number_of_newest(self, deadline: float) -> int:
        answer, _ = self._ask("GET", "", None, deadline)
        rows = answer["model_version_status"]
        numbers = [int(row["version"]) for row in rows if row["state"] == "AVAILABLE"]
        if not numbers:
            raise ServerError(503, "no version of the model is loaded")
        return max(numbers)

    def _ask(
        self, method: str, path: str, request: dict[str, Any] | None, deadline: float
    ) -> tuple[Any, Mapping[str, str]]:
        body = None if request is None else json.dumps(request).encode()
        try:
            return retried(
                deadline,
                self._retries,
                lambda: self._ask_once(method, path, body, deadline),
            )
        except ServerError as refusal:
            if refusal.code in NOT_FOUND and path.startswith("/versions/"):
                raise VersionGone from refusal
            raise

    def _ask_once(
        self, method: str, path: str, body: bytes | None, deadline: float
    ) -> tuple[Any, Mapping[str, str]]:
        remaining = max(deadline - time.monotonic(), 0.001)
        if self._made_in != os.getpid():
            # After a fork: two processes on one connection would mix up answers.
            self._pool, self._made_in = self._new_pool(), os.getpid()
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            response = self._pool.request(
                method,
                f"{self._base}{path}",
                body=body,
                headers={**headers, **self._headers},
                timeout=urllib3.Timeout(total=remaining),
            )
        except urllib3.exceptions.HTTPError as error:
            raise Retryable(ServerError(NO_ANSWER, str(error))) from error
        answer = _parsed(response.data)
        if response.status == 200:
            return answer, response.headers
        reason = answer.get("error", answer) if isinstance(answer, dict) else answer
        refusal = ServerError(response.status, str(reason))
        if response.status in _RETRY_STATUSES:
            raise Retryable(refusal, _seconds(response.headers.get("Retry-After")))
        raise refusal


def _whose(headers: Mapping[str, str]) -> VersionId:
    version = headers.get(naming.VERSION_HEADER) or ""
    if not version.isdecimal():
        return VersionId()
    return VersionId(int(version), headers.get(naming.CLASSES_HEADER))


def _takes_of(signatures: Mapping[str, Any]) -> InputSpec:
    """The input of the default signature, as REST writes it."""
    if TABLE in signatures:
        inputs = signatures[naming.DEFAULT]["inputs"]
        return table_spec_of({n: tensor["dtype"] for n, tensor in inputs.items()})
    ((name, tensor),) = signatures["serving_default"]["inputs"].items()
    sizes = [int(dim["size"]) for dim in tensor["tensor_shape"].get("dim", ())]
    return input_spec_of(name, tensor["dtype"], sizes)


def _columns(tensor: Mapping[str, Any]) -> int:
    return int(tensor["tensor_shape"]["dim"][-1]["size"])


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return {"error": body[:200].decode(errors="replace")}


def _seconds(header: str | None) -> float | None:
    is_number = header is not None and header.isascii() and header.isdigit()
    return float(header) if header and is_number else None


def _as_json(example: Any) -> Any:
    if isinstance(example, bytes):
        return {"b64": base64.b64encode(example).decode()}
    if isinstance(example, dict):
        return {name: _cell_as_json(cell) for name, cell in example.items()}
    return example.tolist() if isinstance(example, np.ndarray) else example


def _cell_as_json(cell: float | bytes) -> float | str | dict[str, str]:
    """A cell of a table: a text, or a number, which may be NaN here."""
    if not isinstance(cell, bytes):
        return cell
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return _as_json(cell)
