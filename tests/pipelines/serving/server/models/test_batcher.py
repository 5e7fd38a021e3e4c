"""Requests share calls, and each gets the answer that it would get alone."""

import asyncio
import time

import numpy as np
import pytest

from pipelines.serving.server.errors import Code, ServingError
from pipelines.serving.server.metrics import Metrics
from pipelines.serving.server.models import servable
from pipelines.serving.server.models.batcher import Batcher, Workers
from pipelines.serving.server.settings import Batching, Loading
from tests.conformance import models


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds") / "1"
    models.save(models.Kinds(), folder)
    return servable.load("kinds", folder, Loading())


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slow") / "1"
    models.save(models.Slow(), folder)
    return servable.load("slow", folder, Loading())


def run(model, asked, *, signature="serving_default", seconds=30.0, **batching):
    """The answers, or errors, to requests that come at once, and the calls made."""
    metrics = Metrics()

    async def all_at_once(batcher):
        one = model.signatures[signature]
        deadline = time.monotonic() + seconds
        return await asyncio.gather(
            *(batcher.submit(one, given, deadline=deadline) for given in asked),
            return_exceptions=True,
        )

    batching = {"num_batch_threads": 2, **batching}
    found = asyncio.run(with_batcher(model, all_at_once, metrics, **batching))
    lines = metrics.text().decode().splitlines()
    name = ":tensorflow:serving:runtime_latency_count"
    calls = sum(float(one.split()[-1]) for one in lines if one.startswith(name))
    return found, calls


async def with_batcher(model, use, metrics, **batching):
    """The result of `use` on a batcher, whose workers are gone afterwards."""
    settings = Batching(**batching)
    workers = Workers(settings.num_batch_threads)
    try:
        return await use(Batcher(model, settings, workers, metrics))
    finally:
        workers.close()


class Seen:
    """A model that notes how many rows each call has."""

    def __init__(self, model, *, pause_seconds=0.0, row_seconds=0.0):
        self.name, self.signatures = model.name, model.signatures
        self.rows = []
        self._run, self._pause_seconds = model.run, pause_seconds
        self._row_seconds = row_seconds

    def run(self, name, inputs):
        self.rows.append(len(inputs["x"]))
        time.sleep(self._pause_seconds + self._row_seconds * len(inputs["x"]))
        return self._run(name, inputs)


def floats(*values):
    return {"x": np.array(values, np.float32)}


@pytest.mark.parametrize("rows", [1, 3])
def test_requests_that_come_together_share_calls(kinds, rows):
    asked = [floats(*range(1 + i, 1 + i + rows)) for i in range(8)]
    found, calls = run(kinds, asked)
    assert calls <= 2
    for given, answer in zip(asked, found):
        np.testing.assert_allclose(answer["y"], 1 / given["x"], rtol=1e-5)


@pytest.mark.parametrize(("threads", "rows"), [(1, [16]), (2, [8, 8]), (3, [6, 6, 4])])
def test_each_thread_gets_its_share(kinds, threads, rows):
    # Each takes a moment, so that all of them are computed at once.
    seen = Seen(kinds, pause_seconds=0.05)
    asked = [floats(1 + i) for i in range(16)]
    found, _ = run(seen, asked, num_batch_threads=threads)
    assert sorted(seen.rows, reverse=True) == rows
    for given, answer in zip(asked, found):
        np.testing.assert_allclose(answer["y"], 1 / given["x"], rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "row", "allowed"), [(0.0, 0.01, range(1, 6)), (0.05, 0.0, range(9, 21))]
)
def test_share_is_large_where_calls_are_costly(kinds, call, row, allowed):
    seen = Seen(kinds, pause_seconds=call, row_seconds=row)

    # Requests of other sizes alone show what a row costs.
    async def after_others(batcher):
        signature = seen.signatures["serving_default"]
        deadline = time.monotonic() + 30
        for rows in (1, 4, 2, 3, 1):
            inputs = floats(*range(1, 1 + rows))
            await batcher.submit(signature, inputs, deadline=deadline)
        seen.rows.clear()
        one = [floats(1 + i) for i in range(20)]
        await asyncio.gather(
            *(batcher.submit(signature, x, deadline=deadline) for x in one)
        )

    asyncio.run(with_batcher(seen, after_others, Metrics(), num_batch_threads=1))
    assert sum(seen.rows) == 20
    assert seen.rows[0] in allowed


def test_who_pauses_is_waited_for_no_more(kinds):
    seen = Seen(kinds, pause_seconds=0.2)
    waited = []

    async def in_pairs(batcher):
        signature = seen.signatures["serving_default"]

        async def ask():
            deadline = time.monotonic() + 30
            await batcher.submit(signature, floats(1), deadline=deadline)

        for _ in range(12):  # two are answered, one comes back, the other does not
            await asyncio.gather(ask(), ask())
            since = time.monotonic()
            await ask()
            waited.append(time.monotonic() - since - 0.2)

    settings = {"num_batch_threads": 1, "batch_timeout_micros": 50_000}
    asyncio.run(with_batcher(seen, in_pairs, Metrics(), **settings))
    assert min(waited[:2]) >= 0.029  # 15 % of a call
    assert sorted(waited[6:])[2] < 0.020


def test_who_comes_back_at_once_is_waited_for(kinds):
    seen = Seen(kinds, pause_seconds=0.1)

    async def again_and_again(batcher):
        signature = seen.signatures["serving_default"]

        async def client():
            for _ in range(12):
                deadline = time.monotonic() + 30
                await batcher.submit(signature, floats(1), deadline=deadline)

        await asyncio.gather(*(client() for _ in range(8)))

    settings = {"num_batch_threads": 1, "batch_timeout_micros": 50_000}
    asyncio.run(with_batcher(seen, again_and_again, Metrics(), **settings))
    assert sum(seen.rows) == 96
    assert len(seen.rows) <= 15


def test_without_batching_each_is_a_call(kinds):
    found, calls = run(kinds, [floats(i + 1) for i in range(8)], enabled=False)
    assert calls == 8
    assert [float(one["y"][0]) for one in found] == pytest.approx(
        [1 / (i + 1) for i in range(8)]
    )


def test_a_bad_request_costs_its_neighbours_nothing(kinds):
    """F24."""
    asked = [floats(4.0), floats(9.0), floats(-1.0), *[floats(16.0)] * 5]
    found, _ = run(kinds, asked, signature="positive")
    assert isinstance(found[2], ServingError)
    assert found[2].code == Code.INVALID_ARGUMENT
    assert "must be positive" in found[2].message
    good = [*found[:2], *found[3:]]
    assert [float(one["y"][0]) for one in good] == [2.0, 3.0, *[4.0] * 5]


def test_a_large_request_is_split(kinds):
    values = np.arange(1, 101)
    (found,), calls = run(kinds, [floats(*values)], max_batch_size=32)
    assert calls == 4
    np.testing.assert_allclose(found["y"], 1 / values, rtol=1e-6)
    (refused,), calls = run(
        kinds,
        [floats(*values)],
        max_batch_size=32,
        enable_large_batch_splitting=False,
    )
    assert calls == 0
    assert "larger than maximum input batch size 32" in refused.message


def test_batches_are_padded_to_allowed_sizes(kinds):
    seen = Seen(kinds)
    found, _ = run(
        seen,
        [floats(1.0, 2.0, 4.0), floats(8.0, 16.0)],
        max_batch_size=8,
        allowed_batch_sizes=(4, 8),
    )
    assert set(seen.rows) <= {4, 8}
    assert [len(one["y"]) for one in found] == [3, 2]
    np.testing.assert_allclose(found[1]["y"], [1 / 8, 1 / 16])


def test_an_empty_batch_and_one_without_rows(kinds):
    (found,), _ = run(kinds, [floats()])
    assert found["y"].shape == (0,)
    found, calls = run(kinds, [floats(1, 2), floats(3)], signature="total")
    assert [float(one["total"]) for one in found] == [3.0, 3.0]
    assert calls == 2


def test_other_shapes_are_other_batches(kinds):
    asked = [
        {"a": np.ones(1, np.float32), "b": np.ones((1, 2), np.float32)},
        {"a": np.ones(2, np.float32), "b": np.ones((2, 2), np.float32)},
    ]
    found, _ = run(kinds, asked, signature="two")
    assert [len(one["sum"]) for one in found] == [1, 2]


def test_a_full_queue_refuses(slow):
    asked = [floats(50.0) for _ in range(20)]
    found, calls = run(slow, asked, max_batch_size=1, max_enqueued_batches=4)
    refused = [one for one in found if isinstance(one, ServingError)]
    assert {one.code for one in refused} == {Code.UNAVAILABLE}
    assert "queue to which this task was submitted is full" in refused[0].message
    assert calls == 20 - len(refused)
    assert 4 <= calls <= 6


def test_what_is_late_is_not_computed(slow):
    asked = [floats(500.0)] * 4
    found, calls = run(slow, asked, max_batch_size=1, seconds=0.1)
    assert {one.code for one in found} == {Code.DEADLINE_EXCEEDED}
    assert calls <= 1
