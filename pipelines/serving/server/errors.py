"""Errors of requests, with the names of gRPC and the numbers of HTTP; and of ports."""

from __future__ import annotations

import enum

from pipelines.errors import ConfigError


class Code(enum.IntEnum):
    """The canonical codes: https://grpc.io/docs/guides/status-codes."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


_HTTP_STATUS = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.INVALID_ARGUMENT: 400,
    Code.FAILED_PRECONDITION: 400,
    Code.OUT_OF_RANGE: 400,
    Code.UNAUTHENTICATED: 401,
    Code.PERMISSION_DENIED: 403,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.ABORTED: 409,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.DEADLINE_EXCEEDED: 504,
}
_MOST_EXAMPLES = 32_768
# What a client may ask again soon.
_RETRY_AFTER_SECONDS = {Code.RESOURCE_EXHAUSTED: 1, Code.UNAVAILABLE: 1}


class ServingError(Exception):
    """A request that is answered with a code and a sentence.

    `http_status` replaces what follows from the code, where HTTP knows better.
    """

    def __init__(
        self, code: Code, message: str, *, http_status: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = http_status or _HTTP_STATUS.get(code, 500)

    def without_trace(self) -> ServingError:
        """Itself, without the frames that it came through.

        They hold the request, and often the error, so that only a collection would
        free what a refused request has sent.
        """
        self.__traceback__ = self.__cause__ = self.__context__ = None
        return self

    @property
    def retry_after_seconds(self) -> int | None:
        """When to ask again, if that may help."""
        return _RETRY_AFTER_SECONDS.get(self.code)


def refuse_too_many(examples: int) -> None:
    """Raises `ServingError` for more than could be answered in time, one by one."""
    if examples > _MOST_EXAMPLES:
        raise ServingError(
            Code.RESOURCE_EXHAUSTED,
            f"The request has {examples} examples, and may have {_MOST_EXAMPLES}; send"
            " fewer at once.",
            http_status=413,
        )


def invalid(message: str) -> ServingError:
    """The client's mistake."""
    return ServingError(Code.INVALID_ARGUMENT, message)


def not_found(message: str) -> ServingError:
    """A model or a version that is not served."""
    return ServingError(Code.NOT_FOUND, message)


def port_is_taken(interface: str, address: str) -> ConfigError:
    """The server cannot begin; `interface` is REST or gRPC."""
    return ConfigError(
        f"{interface} cannot listen at {address}: the port is taken, or the address is"
        " not of this machine. Choose another with --rest-port, --grpc-port or --host."
    )
