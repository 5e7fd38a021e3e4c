"""Calls take turns where TensorFlow mixes up results of calls at once."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pipelines.serving.server.metrics import Metrics
from pipelines.serving.server.models import servable
from pipelines.serving.server.models.batcher import Batcher, Workers
from pipelines.serving.server.settings import Batching, Loading
from tests.support import residuals


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


def test_threads_take_turns_where_tensorflow_mixes_results(tmp_path, caplog):
    folder = tmp_path / "1"
    residuals.network(residuals.with_bias).export(str(folder), verbose=False)
    loaded = servable.load("residual", folder, Loading())
    assert "one batch at a time" in caplog.text
    (name,) = loaded.signatures["serving_default"].inputs
    maps = np.random.default_rng(0).normal(size=(40, 8, 6, 6, 4)).astype("float32")

    def run(one):
        (found,) = loaded.run("serving_default", {name: one}).values()
        return found

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(run, maps))
    np.testing.assert_array_equal(found, [run(one) for one in maps])


def test_artifacts_need_no_turns(artifact, caplog):
    caplog.set_level("WARNING")
    servable.load("tiny", artifact / "1", Loading())
    assert "one batch at a time" not in caplog.text
