"""A function of each row of a batch, where a row that fails costs no other row.

`tf.data` isolates the rows: an error inside a data set ends one element, an error in a
plain op ends the request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

# Examples of a request that are read side by side, at most: each may take as much
# memory as the largest image that is allowed.
_AT_ONCE = 4


def each_or(items: tf.Tensor, function: Callable[..., Any], fallback: Any) -> Any:
    """`function` of every item, `[batch + 1, ...]`; `fallback` where it fails.

    The last row is a `fallback` of nothing, because an empty data set has no batch: the
    caller cuts it off.
    """
    count = tf.size(items)
    numbers, values = sound_rows((tf.range(count), items), function, (count, fallback))
    row_of = place_of_items(numbers, count)
    return tf.nest.map_structure(lambda x: tf.gather(x, row_of), values)


def place_of_items(numbers: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """The place of each item's own row, `[count + 1]`.

    Items without a row get the row that has the number `count`: the first or the last.
    """
    last = tf.size(numbers) - 1
    otherwise = tf.where(numbers[0] == count, 0, last)
    return tf.tensor_scatter_nd_update(
        tf.fill([count + 1], otherwise), numbers[:, tf.newaxis], tf.range(last + 1)
    )


def sound_rows(
    items: Sequence[tf.Tensor],
    function: Callable[..., Any],
    otherwise: tuple[tf.Tensor, Any],
) -> tuple[tf.Tensor, Any]:
    """The numbers of items for which `function` does not fail, and what it gives.

    An item is a number and what `function` takes. The last row is `otherwise`, because
    an empty data set has no batch.

    A `function` is compiled for every request, and what it calls in branches and loops
    stays for as long as the process: keep it small, without either.
    """
    # Not converted: no Python depends on a tensor, and to look for it takes seconds.
    numbered = tf.autograph.experimental.do_not_convert(
        lambda number, *item: (number, function(*item))
    )
    sound = tf.data.Dataset.from_tensor_slices(tuple(items)).map(
        numbered, num_parallel_calls=_AT_ONCE
    )
    # Not `reduce`: what is in branches and loops would be compiled for every request.
    return (
        sound.ignore_errors()
        .concatenate(tf.data.Dataset.from_tensors(otherwise))
        .batch(tf.size(items[0], tf.int64) + 1)
        .with_options(_as_written())
        .get_single_element()
    )


def _as_written() -> tf.data.Options:
    """No rewriting and no tuning, which cost more than a request takes."""
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    return options
