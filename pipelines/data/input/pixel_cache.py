"""Decoded pixels in memory, so that later epochs and phases decode nothing again."""

from __future__ import annotations

import logging
from collections.abc import Callable

import tensorflow as tf

from pipelines.data.splits import Inputs, Split

_log = logging.getLogger("zootune")

Load = Callable[[tf.Tensor], tf.Tensor]


class PixelCache:
    """Images of splits as uint8 `[size_px, size_px, 3]`, kept when they are first read.

    The first images of a split are kept until the budget is spent; the others are
    decoded every time. The pixels are the same with any budget.
    """

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self.held_bytes = 0
        # By the inputs: a split with other weights has the same pixels. They are held
        # too, so that their id stays their own.
        self._held: dict[tuple[str, int, int], tuple[Inputs, Load]] = {}

    def keeping(self, split: Split, size_px: int, load: Load) -> Load:
        """A function from an index to pixels that calls `load` once for each index."""
        key = (split.name, id(split.inputs), size_px)
        if key not in self._held:
            kept = self._with_memory(split, size_px, load)
            self._held[key] = split.inputs, kept
        return self._held[key][1]

    def _with_memory(self, split: Split, size_px: int, load: Load) -> Load:
        per_image = 3 * size_px**2
        free_bytes = self.budget_bytes - self.held_bytes
        count = min(len(split), free_bytes // per_image)
        self.held_bytes += count * per_image
        _log.info(
            "%s: %d of %d decoded images kept, %.0f MiB of a budget of %.0f MiB",
            split.name,
            count,
            len(split),
            count * per_image / 2**20,
            self.budget_bytes / 2**20,
        )
        if count == 0:
            return load
        with tf.device("CPU:0"):  # the input pipeline runs there; keep GPU memory free
            shape = [count, size_px, size_px, 3]
            rows = tf.Variable(tf.zeros(shape, tf.uint8), trainable=False)
            is_kept = tf.Variable(tf.zeros([count], tf.bool), trainable=False)
        return _remembering(load, rows, is_kept, count)


def _remembering(
    load: Load, rows: tf.Variable, is_kept: tf.Variable, count: int
) -> Load:
    def keep(i: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
        put = rows.scatter_update(tf.IndexedSlices(pixels[tf.newaxis], i[tf.newaxis]))
        # In this order: a reader that sees the mark must find the pixels.
        with tf.control_dependencies([put]):
            marked = tf.IndexedSlices(tf.constant([True]), i[tf.newaxis])
            done = is_kept.scatter_update(marked)
        with tf.control_dependencies([done]):
            return tf.identity(pixels)

    def first_time(i: tf.Tensor) -> tf.Tensor:
        pixels = load(i)
        return tf.cond(i < count, lambda: keep(i, pixels), lambda: pixels)

    def with_memory(i: tf.Tensor) -> tf.Tensor:
        row = tf.minimum(i, count - 1)
        is_known = (i < count) & tf.gather(is_kept, row)
        return tf.cond(is_known, lambda: tf.gather(rows, row), lambda: first_time(i))

    return with_memory
