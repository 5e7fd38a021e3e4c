"""The versions that a client asks: described, asked, and read with their own names."""

from __future__ import annotations

import abc
import dataclasses
import functools
import logging
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import ArtifactError, DataError
from pipelines.serving import naming
from pipelines.serving.examples.faults import why_not_valid
from pipelines.serving.examples.inputs import (
    InputSpec,
    as_inputs,
    as_list,
    refuse_one_array,
)
from pipelines.serving.prediction import (
    AnyPrediction,
    fits,
    from_outputs,
    has_label,
)

_logger = logging.getLogger("zootune")
_FIRST_PAUSE_SECONDS = 0.1
NO_ANSWER = "no answer"
# Over REST and over gRPC.
_REFUSED_INPUT = (400, "INVALID_ARGUMENT")
NOT_FOUND = (404, "NOT_FOUND")
# So often another version may take over while one request is answered.
_MOST_CHANGES = 8
_REMEMBERED = 8
# Two probabilities that are the same, written and read again, differ by less.
_SAME = 1e-6
_LOCAL = ("localhost", "127.0.0.1", "::1", "")


class ServerError(RuntimeError):
    """A server refused, or gave no answer in time.

    `code` is an HTTP status or the name of a gRPC code; `no answer` if there was none.
    """

    def __init__(self, code: int | str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclasses.dataclass(frozen=True)
class VersionId:
    """The version that an answer names; None where a server says nothing."""

    version: int | None = None
    digest: str | None = None


@dataclasses.dataclass(frozen=True)
class ModelVersion:
    """A version, as its metadata describe it: what it takes, what its classes are."""

    version: int
    takes: InputSpec
    class_names: tuple[str, ...]

    @functools.cached_property
    def digest(self) -> str:
        """The digest of its class names."""
        return naming.digest(self.class_names)

    @functools.cached_property
    def _position(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.class_names)}

    def is_of(self, whose: VersionId) -> bool:
        """True if an answer is of this version, as far as it says."""
        return self.version == whose.version and whose.digest in (None, self.digest)

    def fits(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """True if answers can be of these classes: their labels are the likeliest."""
        return all(self._fits(row) for row in rows)

    def _fits(self, row: Mapping[str, Any]) -> bool:
        if not fits(row, self.class_names):
            return False
        if not row["valid"] or not has_label(row):
            return True
        probabilities = np.asarray(row["probabilities"])
        label = row["label"]
        label = label.decode() if isinstance(label, bytes) else label
        position = self._position.get(label)
        return (
            position is not None
            and probabilities[position] >= probabilities.max() - _SAME
        )


class ModelClient(abc.ABC):
    """A client of one model, which reads each answer with the names of its version."""

    def __init__(
        self,
        address: str,
        *,
        model: str,
        token: str | None = None,
        timeout_seconds: float = 30.0,
        retries: int = 3,
        ca_file: Path | None = None,
    ) -> None:
        self._model = model
        self._token = token
        self._timeout_seconds = timeout_seconds
        self._retries = retries
        self._made_in = os.getpid()
        self._newest: ModelVersion | None = None
        self._known: dict[tuple[int, str], ModelVersion] = {}
        self._connect(address, ca_file)

    @abc.abstractmethod
    def _connect(self, address: str, ca_file: Path | None) -> None:
        """Makes what is needed to ask; warns of a token that everybody can read."""

    @abc.abstractmethod
    def _describe(self, version: int | None, deadline: float) -> ModelVersion:
        """A version, or the one that answers now.

        Raises:
            VersionGone: if the version is not served any more.
        """

    @abc.abstractmethod
    def _answers(
        self, model: ModelVersion, examples: list[Any], deadline: float
    ) -> tuple[Sequence[Mapping[str, Any]], VersionId]:
        """A row of outputs for each example, and which version gave them."""

    def predict(
        self, examples: Any, *, timeout_seconds: float | None = None
    ) -> list[AnyPrediction]:
        """A prediction for each of several examples, in order.

        An example is an image (encoded, its path, an open file, a Pillow image, or an
        array of uint8), a text, or a series `[steps, channels]` of any numbers. All
        attempts together take at most `timeout_seconds`.

        Raises:
            ServerError: if the server refuses, or there is no answer in time.
            DataError: for a single example, and for one that the model does not take.
            ArtifactError: if a series has another shape than the model takes.
        """
        items = as_list(examples)
        if not items:
            return []
        deadline = time.monotonic() + (timeout_seconds or self._timeout_seconds)
        for _ in range(_MOST_CHANGES):
            try:
                predictions = self._predicted(examples, items, deadline)
            except VersionGone:
                self._newest = None
                continue
            if predictions is not None:
                return predictions
        raise ServerError(
            NO_ANSWER,
            "versions came and went faster than they could be asked what their classes"
            f" are called, {_MOST_CHANGES} times; ask again",
        )

    def _predicted(
        self, examples: Any, items: list[Any], deadline: float
    ) -> list[AnyPrediction] | None:
        """Predictions, or None if another version took over in between."""
        model = self._newest
        if model is None:
            model = self._newest = self._described(None, deadline)
        refuse_one_array(examples, model.takes)
        try:
            inputs = as_inputs(items, model.takes)
            rows, whose = self._answers(model, inputs, deadline)
        except (ServerError, ValueError, RuntimeError) as refusal:
            if not _may_be_of_another(refusal) or not self._is_replaced(
                model, deadline
            ):
                raise
            return None
        if not model.is_of(whose):
            self._newest = model = self._named(whose, deadline)
        if not (model.is_of(whose) and model.fits(rows)):
            self._forget(model)
            return None
        return [
            from_outputs(
                row,
                model.class_names,
                reason="" if row["valid"] else why_not_valid(example, model.takes),
            )
            for example, row in zip(inputs, rows, strict=True)
        ]

    def _is_replaced(self, model: ModelVersion, deadline: float) -> bool:
        """True if another version answers now than the one that was thought to."""
        self._newest = now = self._described(None, deadline)
        return now != model

    def _named(self, whose: VersionId, deadline: float) -> ModelVersion:
        if whose.version is not None and whose.digest is not None:
            known = self._known.get((whose.version, whose.digest))
            if known is not None:
                return known
        return self._described(whose.version, deadline)

    def _described(self, version: int | None, deadline: float) -> ModelVersion:
        model = self._describe(version, deadline)
        while len(self._known) >= _REMEMBERED:
            self._known.pop(next(iter(self._known), (0, "")), None)
        self._known[model.version, model.digest] = model
        return model

    def _forget(self, model: ModelVersion) -> None:
        self._known.pop((model.version, model.digest), None)
        self._newest = None


class Retryable(Exception):
    """A refusal that may not be the last word, and when to come back."""

    def __init__(self, refusal: ServerError, seconds: float | None = None) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.seconds = seconds


class VersionGone(Exception):
    """A version that answered, and is not served any more."""


def retried(deadline: float, retries: int, once: Callable[[], Any]) -> Any:
    """Tries again with growing pauses, for as long as there is time."""
    for attempt in range(retries + 1):
        try:
            return once()
        except Retryable as again:
            # Clients that were refused together should not come back together.
            pause = _FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.5)
            pause = max(pause, again.seconds or 0.0)
            if attempt == retries or time.monotonic() + pause >= deadline:
                raise again.refusal from again
            time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _may_be_of_another(refusal: Exception) -> bool:
    """True if examples may be refused because another version takes others."""
    if isinstance(refusal, ServerError):
        return refusal.code in _REFUSED_INPUT
    return isinstance(refusal, (ArtifactError, DataError))


def numbered(columns: int) -> tuple[str, ...]:
    """Names of targets where a server knows none: those of data without names."""
    if columns == 1:
        return ("target",)
    return tuple(f"target_{k}" for k in range(columns))


def input_spec_of(name: str, dtype: str, sizes: Sequence[int]) -> InputSpec:
    """The input of a signature, from the names and numbers of TensorFlow."""
    shape = tuple(None if size < 0 else size for size in sizes[1:])
    return InputSpec(name, _dtype(dtype), shape)


def table_spec_of(columns: Mapping[str, str]) -> InputSpec:
    """The input of a table, from the names of TensorFlow for the types of columns."""
    return InputSpec.of_table({name: _dtype(kind) for name, kind in columns.items()})


def _dtype(name: str) -> str:
    word = {"DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_HALF": "float16"}
    return word.get(name, name.removeprefix("DT_").lower())


def warn_of_plain_token(host: str, instead: str) -> None:
    """Warns of a token that travels unencrypted to another machine."""
    if host not in _LOCAL:
        _logger.warning(
            "The token goes to %s as it is, for everybody on the way to read; use %s.",
            host,
            instead,
        )
