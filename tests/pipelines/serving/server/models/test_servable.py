"""Calls take turns where TensorFlow mixes up results of calls at once."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pipelines.serving.server.models import servable
from pipelines.serving.server.settings import Loading
from tests.support import residuals


def test_threads_take_turns_where_tensorflow_mixes_results(tmp_path, caplog):
    folder = tmp_path / "1"
    residuals.network(residuals.with_bias).export(str(folder), verbose=False)
    loaded = servable.load("residual", folder, Loading())
    assert "one batch at a time" in caplog.text
    (name,) = loaded.signatures["serving_default"].inputs
    maps = np.random.default_rng(0).normal(size=(40, 8, 6, 6, 4)).astype("float32")

    def run(batch):
        (outputs,) = loaded.run("serving_default", {name: batch}).values()
        return outputs

    with ThreadPoolExecutor(4) as threads:
        at_once = list(threads.map(run, maps))
    np.testing.assert_array_equal(at_once, [run(batch) for batch in maps])
