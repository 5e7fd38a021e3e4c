"""Linear algebra on one thread, and on as many as before afterwards."""

import numpy as np
from threadpoolctl import threadpool_info

from pipelines.runtime.blas import one_thread


def _threads():
    np.linalg.eigh(np.eye(3))  # loads the library
    return [
        pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"
    ]


def test_one_thread_ends_with_its_context():
    before = _threads()
    assert before
    with one_thread():
        assert set(_threads()) == {1}
    assert _threads() == before
