"""Numbers for Prometheus, under the names that TensorFlow Serving gives them."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Microseconds, each bound 1.8 times the one before.
_BUCKETS = tuple(10 * 1.8**i for i in range(33))
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counts and times of a server.

    Counts are written as gauges: the client library would append `_total` to the name
    of a counter, and dashboards ask for TensorFlow Serving's names.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = self._gauge(
            ":tensorflow:serving:request_count",
            "Requests that were answered, by status.",
            ("model_name", "status"),
        )
        self._latency = self._histogram(
            ":tensorflow:serving:request_latency",
            "Microseconds from the request to its answer.",
            ("model_name", "API", "entrypoint"),
        )
        self._runtime = self._histogram(
            ":tensorflow:serving:runtime_latency",
            "Microseconds in TensorFlow.",
            ("model_name",),
        )
        self._queued = self._histogram(
            ":tensorflow:serving:batching_session:queuing_latency",
            "Microseconds that a request waited for its batch.",
            ("model_name",),
        )
        self._rows = Histogram(
            ":zootune:serving:batch_rows",
            "Rows in one call of the model.",
            ("model_name",),
            buckets=_ROWS,
            registry=self._registry,
        )
        self._failures = self._gauge(
            ":zootune:serving:load_failures",
            "Times that a version did not load.",
            ("model_name",),
        )
        self._polls = self._gauge(
            ":zootune:serving:poll_failures",
            "Times that a base path could not be read, or not be followed.",
            ("model_name",),
        )
        self._in_flight = self._gauge(
            ":zootune:serving:requests_in_flight", "Requests without an answer yet.", ()
        )

    def answered(
        self, model: str, *, api: str, entrypoint: str, status: str, seconds: float
    ) -> None:
        """Counts an answer with its status and its seconds."""
        self._requests.labels(model, status).inc()
        self._latency.labels(model, api, entrypoint).observe(seconds * 1e6)

    def computed(self, model: str, seconds: float) -> None:
        """Counts the seconds of one call in TensorFlow."""
        self._runtime.labels(model).observe(seconds * 1e6)

    def batch(self, model: str, *, rows: int, waited_seconds: Sequence[float]) -> None:
        """Counts a batch, and how long each request waited for it."""
        self._rows.labels(model).observe(rows)
        for seconds in waited_seconds:
            self._queued.labels(model).observe(seconds * 1e6)

    def load_failed(self, model: str) -> None:
        """Counts a version that did not load."""
        self._failures.labels(model).inc()

    def poll_failed(self, model: str) -> None:
        """Counts a base path that could not be followed."""
        self._polls.labels(model).inc()

    def in_flight(self, count: int) -> None:
        """Notes how many requests are being answered."""
        self._in_flight.set(count)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, says: str, labels: Sequence[str]) -> Gauge:
        return Gauge(name, says, labels, registry=self._registry)

    def _histogram(self, name: str, says: str, labels: Sequence[str]) -> Histogram:
        return Histogram(name, says, labels, buckets=_BUCKETS, registry=self._registry)
