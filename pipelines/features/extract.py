"""Activations at a boundary of the network, computed once instead of once per epoch."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import keras
import numpy as np
import tensorflow as tf

from pipelines.features import engines
from zoo.graph.folding import folded

# An array for each tensor that crosses the boundary; most boundaries have one.
Activations = tuple[np.ndarray, ...]
LARGEST_FLOAT16 = 65504


class Reader:
    """Runs a network over splits; its graph is built once for all of them.

    Runs in inference mode: no dropout, BatchNorm with its own statistics. Uses the
    weights that the network has at the time of reading.
    """

    def __init__(self, base: keras.Model) -> None:
        self._base = base
        self._graphs: dict[tf.TensorSpec, tf.types.experimental.PolymorphicFunction]
        self._graphs = {}

    def extract(
        self,
        batches: tf.data.Dataset,
        *,
        dtype: type[np.floating] = np.float32,
        on_progress: Callable[[int], None] | None = None,
        only: Sequence[int] | None = None,
    ) -> Activations:
        """The outputs of the network for every example in order, `[examples, ...]`.

        Floats are returned as `dtype` (as float32 if too large for float16), ids
        unchanged. `on_progress` is called after every batch with the number of examples
        so far. `only` selects outputs by their numbers.
        """
        parts, done = [], 0
        for outputs in self.stream(batches):
            some = outputs if only is None else [outputs[i] for i in only]
            parts.append(tuple(in_precision(tensor, dtype) for tensor in some))
            done += len(outputs[0])
            if on_progress is not None:
                on_progress(done)
        columns = list(zip(*parts))
        parts.clear()
        # One after the other, each freed when complete, so that not all exist twice.
        return tuple(np.concatenate(columns.pop(0)) for _ in range(len(columns)))

    def stream(self, batches: tf.data.Dataset) -> Iterator[Activations]:
        """Yields the outputs of the network batch by batch; see `extract`.

        From the second batch on another engine computes them, if that pays and agrees.
        On a CPU two batches are computed at once, which gives the same bits in less
        time: a quarter less for EfficientNet-Lite0 on two cores.
        """
        inputs_spec, _ = batches.element_spec
        infer = self._graph(inputs_spec)
        run = engines.by_tensorflow(infer)
        # Another engine could not agree with a lower precision.
        worth_a_try = self._base.compute_dtype == "float32" and engines.is_worth_a_try(
            inputs_spec, int(batches.cardinality())
        )
        at_once = engines.batches_at_once(infer)
        waiting: collections.deque[Future[list[np.ndarray]]] = collections.deque()
        with ThreadPoolExecutor(at_once) as threads:
            for number, (inputs, _) in enumerate(batches):
                if number == 1 and worth_a_try:
                    run = engines.compiled(infer, inputs)
                waiting.append(threads.submit(run, inputs))
                if len(waiting) > at_once:
                    yield _plain(waiting.popleft().result())
            while waiting:
                yield _plain(waiting.popleft().result())

    def _graph(
        self, inputs_spec: tf.TensorSpec
    ) -> tf.types.experimental.PolymorphicFunction:
        if inputs_spec not in self._graphs:
            network = folded(self._base, in_inference=True)

            @tf.function(input_signature=[inputs_spec])
            def infer(inputs):
                return network(inputs, training=False)

            self._graphs[inputs_spec] = infer
        return self._graphs[inputs_spec]


def extract(
    base: keras.Model,
    batches: tf.data.Dataset,
    *,
    dtype: type[np.floating] = np.float32,
    on_progress: Callable[[int], None] | None = None,
) -> Activations:
    """The outputs of `base` for one split; see `Reader.extract`."""
    return Reader(base).extract(batches, dtype=dtype, on_progress=on_progress)


def _plain(outputs: list[np.ndarray]) -> Activations:
    return tuple(
        # NumPy knows bfloat16 by name only.
        values if values.dtype.kind in "iub" else values.astype(np.float32)
        for values in outputs
    )


def in_precision(array: np.ndarray, dtype: type[np.floating]) -> np.ndarray:
    """Floats as `dtype`, unless they are too large for float16; ids as they are."""
    if array.dtype.kind in "iub":
        return array
    too_large = dtype is np.float16 and np.abs(array).max(initial=0) > LARGEST_FLOAT16
    return array if too_large else array.astype(dtype)


def size_bytes(base: keras.Model, examples: int) -> int:
    """The memory in bytes that `extract` needs for this number of examples."""
    per_example = sum(
        int(np.prod(output.shape[1:])) for output in tf.nest.flatten(base.output)
    )
    return examples * per_example * np.dtype(np.float32).itemsize
