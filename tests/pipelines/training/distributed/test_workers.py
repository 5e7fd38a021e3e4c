"""What workers tell each other; two of them in threads, which add through memory.

`distributed_steps` has two in processes, which add through TensorFlow.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import (
    ArtifactError,
    ChangedFilesError,
    ConfigError,
    DataError,
    TrainingError,
)
from pipelines.training.checkpoint import Checkpoint
from pipelines.training.distributed.cluster import Cluster
from pipelines.training.distributed.workers import (
    ALONE,
    WorkerLostError,
    Workers,
    _as_values,
    _result_of,
    lost_workers_named,
    require_same_everywhere,
)
from zoo.errors import BackboneError, MissingWeightsError

ADDRESSES = ("first:1", "second:2")


class Adding(Workers):
    """A worker whose sums are made in memory, once all have given theirs."""

    def __init__(self, index, barrier, given):
        super().__init__(cluster=Cluster(ADDRESSES, index))
        self._barrier, self._given = barrier, given

    def _sum(self, array):
        self._given[self.index] = array
        self._barrier.wait(timeout=10)
        total = sum(self._given.values())
        self._barrier.wait(timeout=10)
        return total


def in_both(function):
    """What a function gives, or raises, in each of two workers."""
    barrier, given = threading.Barrier(2), {}
    with ThreadPoolExecutor(2) as threads:
        calls = [
            threads.submit(function, Adding(index, barrier, given)) for index in (0, 1)
        ]
    return [call.exception() or call.result() for call in calls]


def test_one_alone_sends_nothing():
    alone = Workers()
    assert (alone.is_alone, alone.is_chief, alone.size) == (True, True, 1)
    assert alone.broadcast({"a": 1}) == {"a": 1}
    assert alone.gather("mine") == ["mine"]
    assert alone.on_chief(max, 1, 2) == 2
    require_same_everywhere(alone, {"seed": 1})


def test_everyone_has_what_the_chief_has():
    values = in_both(lambda workers: workers.broadcast({"epoch": workers.index}))
    assert values == [{"epoch": 0}, {"epoch": 0}]


def test_gather_returns_the_order_of_workers():
    values = in_both(lambda workers: workers.gather("x" * (1 + 20 * workers.index)))
    assert values == [["x", "x" * 21]] * 2


def test_on_chief_calls_once_and_returns_to_all():
    calls = []

    def work():
        calls.append(threading.get_ident())
        return [1, "two"]

    assert in_both(lambda workers: workers.on_chief(work)) == [[1, "two"]] * 2
    assert len(calls) == 1


def test_what_fails_in_the_chief_fails_in_all():
    def work():
        raise ConfigError("no such folder")

    errors = in_both(lambda workers: workers.on_chief(work))
    assert [type(error) for error in errors] == [ConfigError, ConfigError]
    assert "no such folder" in str(errors[1])


def test_broadcast_variables_equal_the_chiefs_bits():
    def share(workers):
        variables = [
            keras.Variable(np.full((2, 3), workers.index + 0.1, np.float32)),
            keras.Variable(workers.index, dtype="int64"),
        ]
        workers.broadcast_variables(variables)
        return [np.array(variable) for variable in variables]

    for kernel, number in in_both(share):
        np.testing.assert_array_equal(kernel, np.full((2, 3), 0.1, np.float32))
        assert number == 0


def test_broadcast_checkpoint_reaches_all():
    saved = Checkpoint({"place": 3}, {"now": [np.arange(5), np.float32([[1, 2]])]})

    def share(workers):
        return workers.broadcast_checkpoint(saved if workers.is_chief else None)

    for found in in_both(share):
        assert found.values == {"place": 3}
        numbers, matrix = found.arrays["now"]
        np.testing.assert_array_equal(numbers, np.arange(5))
        np.testing.assert_array_equal(matrix, [[1, 2]])
        assert matrix.dtype == np.float32
    assert in_both(lambda workers: workers.broadcast_checkpoint(None)) == [None, None]


def test_what_differs_is_named_in_all():
    def compare(workers):
        about = {"config": {"seed": 3 + workers.index, "data": "d"}, "version": "1"}
        require_same_everywhere(workers, about)

    for error in in_both(compare):
        assert isinstance(error, ConfigError)
        assert r"config.seed (3 and 4)" in str(error)
        assert "version" not in str(error)
        assert "worker 1 (second:2)" in str(error)


def test_a_worker_that_has_gone_is_a_sentence():
    gone = tf.errors.UnavailableError(None, None, "socket closed\nmore")
    with (
        pytest.raises(WorkerLostError, match=r"cannot be reached .*\(socket closed\)"),
        lost_workers_named(),
    ):
        raise gone


def test_one_worker_calls_the_function_itself():
    result = object()
    assert ALONE.on_chief(lambda: result) is result
    with pytest.raises(DataError, match="^no rows$"):
        ALONE.on_chief(_fail, DataError("no rows"))


def _fail(error):
    raise error


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ArtifactError("no space"), ArtifactError, "On the chief: no space"),
        (ChangedFilesError("a.png"), ChangedFilesError, "On the chief: a.png"),
        (MissingWeightsError("none"), BackboneError, "none"),
        (OSError(28, "full"), TrainingError, "On the chief: OSError: .*full"),
    ],
)
def test_an_error_of_the_chief_keeps_its_class(error, kind, message):
    with pytest.raises(kind, match=message) as caught:
        _result_of(_as_values(error), "the chief")
    assert type(caught.value) is kind
    assert _result_of({"result": [1]}, "the chief") == [1]
