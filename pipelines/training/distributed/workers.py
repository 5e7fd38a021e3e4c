"""The values that workers send each other besides gradients.

Everything that a worker decides by (plans, results, numbers of validation) is the
chief's: what each computes for itself could differ in last digits, and then one worker
would wait for steps that another one does not take.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ParamSpec, TypeVar

import keras
import numpy as np
import tensorflow as tf

from pipelines.display.records import differences
from pipelines.errors import (
    ArtifactError,
    ChangedFilesError,
    ConfigError,
    DataError,
    TrainingError,
)
from pipelines.training.checkpoint import Checkpoint
from pipelines.training.distributed.cluster import Cluster
from zoo.errors import BackboneError

P = ParamSpec("P")
T = TypeVar("T")

# What is sent at once; a message takes twice that in memory.
_PIECE_BYTES = 2**26


class WorkerLostError(TrainingError):
    """Another worker has died, or cannot be reached."""


class Workers:
    """The workers of a run; without a cluster there is one, and nothing is sent.

    All workers have to make the same calls in the same order.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy | None = None,
        cluster: Cluster | None = None,
    ) -> None:
        self.cluster = cluster
        if strategy is not None:
            self._total = _summing(strategy, workers=self.size)

    @property
    def is_alone(self) -> bool:
        """True without a cluster."""
        return self.cluster is None

    @property
    def size(self) -> int:
        """The number of workers."""
        return 1 if self.cluster is None else len(self.cluster.addresses)

    @property
    def index(self) -> int:
        """The number of this worker; the chief is 0."""
        return 0 if self.cluster is None else self.cluster.index

    @property
    def is_chief(self) -> bool:
        """True for the worker that writes files."""
        return self.cluster is None or self.cluster.is_chief

    def broadcast(self, value: T) -> T:
        """The chief's value, which JSON must be able to hold."""
        if self.cluster is None:
            return value
        return json.loads(self.broadcast_bytes(json.dumps(value).encode()))

    def on_chief(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The result of a function that only the chief calls; the others wait.

        The result has to be a value of JSON. If the chief's call fails, every worker
        raises the same error.
        """
        if self.cluster is None:
            return function(*args, **kwargs)
        if not self.is_chief:
            return _result_of(self.broadcast({}), self.cluster.name_of(0))
        try:
            result = function(*args, **kwargs)
        except Exception as error:
            with contextlib.suppress(WorkerLostError):
                self.broadcast(_as_values(error))
            raise
        self.broadcast({"result": result})
        return result

    def broadcast_bytes(self, content: bytes) -> bytes:
        """The chief's bytes; those of the others are ignored."""
        if self.cluster is None:
            return content
        size = int(self._sum(np.array([len(content) if self.is_chief else 0]))[0])
        pieces = []
        for start in range(0, size, _PIECE_BYTES):
            length = min(_PIECE_BYTES, size - start)
            piece = np.zeros(-(-length // 8) * 8, np.uint8)
            if self.is_chief:
                own = content[start : start + length]
                piece[:length] = np.frombuffer(own, np.uint8)
            # Nothing is added to what the chief sends: all others send zeros.
            pieces.append(self._sum(piece.view(np.int64)).tobytes()[:length])
        return b"".join(pieces)

    def gather(self, value: T) -> list[T]:
        """The values of all workers, the chief's first."""
        if self.cluster is None:
            return [value]
        content = json.dumps(value).encode()
        count, index = len(self.cluster.addresses), self.cluster.index
        sizes = np.zeros(count, np.int64)
        sizes[index] = len(content)
        sizes = self._sum(sizes)
        table = np.zeros((count, -(-int(sizes.max()) // 8) * 8), np.uint8)
        table[index, : len(content)] = np.frombuffer(content, np.uint8)
        rows = self._sum(table.view(np.int64)).view(np.uint8)
        return [json.loads(row[:n].tobytes()) for row, n in zip(rows, sizes)]

    def broadcast_variables(self, variables: Sequence[keras.Variable]) -> None:
        """Gives variables the values that they have in the chief, bit for bit."""
        if self.cluster is None:
            return
        own = [np.asarray(keras.ops.convert_to_numpy(v)) for v in variables]
        content = self.broadcast_bytes(b"".join(array.tobytes() for array in own))
        start = 0
        for variable, array in zip(variables, own):
            values = np.frombuffer(content, array.dtype, array.size, start)
            variable.assign(values.reshape(array.shape))
            start += array.nbytes

    def broadcast_checkpoint(self, checkpoint: Checkpoint | None) -> Checkpoint | None:
        """The checkpoint that the chief goes on from, if there is one."""
        if self.cluster is None:
            return checkpoint
        head, arrays = _described(checkpoint)
        head = self.broadcast(head)
        body = self.broadcast_bytes(b"".join(array.tobytes() for array in arrays))
        return None if head is None else _restored(head, body)

    def _sum(self, array: np.ndarray) -> np.ndarray:
        """The sum over all workers; int64, which every kind of device can add."""
        flat = tf.constant(array.reshape(-1), tf.int64)
        with lost_workers_named():
            return self._total(flat).numpy().reshape(array.shape)


# The errors that callers may want to catch, special ones first.
_ERRORS: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (
        ChangedFilesError,
        DataError,
        ConfigError,
        ArtifactError,
        TrainingError,
        BackboneError,
    )
}


def _as_values(error: Exception) -> dict[str, Any]:
    names = [kind.__name__ for kind in type(error).__mro__]
    known = [name for name in _ERRORS if name in names]
    return {
        "error": known[0] if known else TrainingError.__name__,
        "message": str(error) if known else f"{type(error).__name__}: {error}",
    }


def _result_of(outcome: dict[str, Any], chief: str) -> Any:
    """The chief's result. Raises the chief's error, if it had one."""
    if "error" in outcome:
        raise _ERRORS[outcome["error"]](f"On {chief}: {outcome['message']}")
    return outcome["result"]


def _summing(
    strategy: tf.distribute.Strategy, *, workers: int
) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from what a worker has to the sum over all of them."""
    per_worker = strategy.num_replicas_in_sync // workers

    def replica(value: tf.Tensor) -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        # A worker with several devices counts once.
        is_first = context.replica_id_in_sync_group % per_worker == 0
        own = value * tf.cast(is_first, tf.int64)
        return context.all_reduce(tf.distribute.ReduceOp.SUM, own)

    # One trace for all sizes: workers number their collectives as they trace them.
    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)], autograph=False)
    def total(value: tf.Tensor) -> tf.Tensor:
        results = strategy.run(replica, args=(value,))
        return strategy.experimental_local_results(results)[0]

    return total


ALONE = Workers()


@contextlib.contextmanager
def lost_workers_named() -> Iterator[None]:
    """Raises `WorkerLostError` where a collective ends because a worker has gone."""
    try:
        yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
    ) as error:
        raise WorkerLostError(
            "Another worker has ended, or cannot be reached any more. What the chief"
            " has saved is whole: start the same command on all workers again, and the"
            f" run goes on from there. ({str(error).splitlines()[0][:300]})"
        ) from error


def require_same_everywhere(workers: Workers, about: dict[str, Any]) -> None:
    """Compares what must be the same in all workers, before they train together.

    `about` has values, or more such, under names. All workers raise the same error.

    Raises:
        ConfigError: naming what differs, and where.
    """
    if workers.cluster is None:
        return
    of_chief, *others = workers.gather(about)
    for number, of_worker in enumerate(others, 1):
        pairs = differences(of_chief, of_worker)
        if pairs:
            shown = ", ".join(
                f"{name} ({_short(first)} and {_short(second)})"
                for name, (first, second) in list(pairs.items())[:5]
            )
            more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
            chief, worker = map(workers.cluster.name_of, (0, number))
            raise ConfigError(
                f"{chief} and {worker} would not train the same: they differ in"
                f" {shown}{more}. Give all workers the same package, config and data."
            )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _described(
    checkpoint: Checkpoint | None,
) -> tuple[dict[str, Any] | None, list[np.ndarray]]:
    if checkpoint is None:
        return None, []
    groups = checkpoint.arrays.items()
    kinds = {name: [(a.dtype.name, a.shape) for a in group] for name, group in groups}
    arrays = [array for _, group in groups for array in group]
    return {"values": dict(checkpoint.values), "kinds": kinds}, arrays


def _restored(head: dict[str, Any], body: bytes) -> Checkpoint:
    start = 0
    arrays: dict[str, list[np.ndarray]] = {}
    for name, kinds in head["kinds"].items():
        arrays[name] = []
        for kind, shape in kinds:
            dtype, count = np.dtype(kind), int(np.prod(shape, dtype=np.int64))
            array = np.frombuffer(body, dtype, count, start)
            arrays[name].append(array.reshape(shape))
            start += array.nbytes
    return Checkpoint(head["values"], arrays)
