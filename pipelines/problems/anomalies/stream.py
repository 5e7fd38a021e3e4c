"""Long series in the graph: windows of the trained length, each judged like a series.

Windows begin a quarter of their length apart, and the last one ends with the series.
What is promised of a series (`alpha`) is promised of each window alone: over many of
them a false alarm is likelier.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from pipelines.serving.graph_answers import Outputs
from pipelines.serving.naming import ANOMALY_BY_STEP, ANOMALY_BY_WINDOW, WINDOW_START
from pipelines.serving.parity import Expected

# Windows in a length, and the largest number that is computed at once.
_HOPS, _AT_ONCE = 4, 64

Answer = Callable[[tf.Tensor], Outputs]


def starts_of(steps: tf.Tensor, length: int) -> tf.Tensor:
    """Where the windows of a series of `steps` steps begin, int32 `[windows]`."""
    hop, last = max(1, length // _HOPS), steps - length
    count = (last + hop - 1) // hop + 1
    return tf.minimum(tf.range(count) * hop, last)


def answers(answer: Answer, series: tf.Tensor, length: int) -> Outputs:
    """The answers for series `[batch, steps, channels]` of any number of steps.

    `answer` gives those for windows `[windows, length, channels]`. A series shorter
    than a window ends in missing values. A step has the mean over all windows that hold
    it, of how strange it is there or, if the detector does not say, of their scores. A
    window without any value counts for nothing, and a series with infinity is not
    valid.
    """
    batch, steps = tf.shape(series)[0], tf.shape(series)[1]
    missing = tf.constant(np.nan, series.dtype)
    # Not empty in either direction: some kernels fail there.
    more = [[0, tf.cast(batch == 0, tf.int32)], [0, tf.maximum(length - steps, 0)]]
    padded = tf.pad(series, [*more, [0, 0]], constant_values=missing)
    finite = ~tf.reduce_any(tf.math.is_inf(padded), axis=[1, 2])
    starts = starts_of(tf.shape(padded)[1], length)
    scores, anomalous, valid, by_step = _of_windows(answer, padded, starts, length)
    judged = valid & finite[:, None]
    score = tf.reduce_max(tf.where(judged, scores, 0.0), axis=1)
    is_valid = tf.reduce_any(judged, axis=1)
    by_step = tf.where(is_valid[:, None], by_step, 0.0)
    outputs = {
        "anomaly_score": score,
        "anomalous": tf.reduce_any(judged & anomalous, axis=1),
        ANOMALY_BY_STEP: by_step[:, :steps],
        ANOMALY_BY_WINDOW: tf.where(judged, scores, 0.0),
        WINDOW_START: tf.tile(starts[None], [tf.shape(padded)[0], 1]),
        "valid": is_valid,
    }
    return {name: value[:batch] for name, value in outputs.items()}


def _of_windows(
    answer: Answer, padded: tf.Tensor, starts: tf.Tensor, length: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Scores, what is anomalous and valid `[batch, windows]`, and scores by step."""
    batch, steps = tf.shape(padded)[0], tf.shape(padded)[1]
    first = (tf.range(batch) * steps)[:, None] + starts[None]
    places = tf.reshape(first, [-1, 1]) + tf.range(length)
    rows = tf.shape(places)[0]
    at_once = tf.minimum(rows, _AT_ONCE)
    flat = tf.reshape(padded, [-1, padded.shape[2]])

    def some(begin: tf.Tensor) -> tuple[tf.Tensor, ...]:
        # The last ones begin earlier, and what is computed twice is dropped.
        mine = tf.gather(places, tf.minimum(begin + tf.range(at_once), rows - 1))
        given = answer(tf.gather(flat, mine))
        score = given["anomaly_score"]
        strange = given.get(ANOMALY_BY_STEP, tf.tile(score[:, None], [1, length]))
        return score, given["anomalous"], given["valid"], strange

    kinds = (tf.float32, tf.bool, tf.bool, tf.float32)
    found = tf.map_fn(some, tf.range(0, rows, at_once), fn_output_signature=kinds)
    score, anomalous, valid = (tf.reshape(x, [-1])[:rows] for x in found[:3])
    strange = tf.reshape(found[3], [-1, length])[:rows]
    counted = tf.tile(tf.cast(valid, tf.float32)[:, None], [1, length])
    total, count = (
        tf.math.unsorted_segment_sum(x, places, batch * steps)
        for x in (strange * counted, counted)
    )
    by_step = tf.reshape(total / tf.maximum(count, 1.0), [batch, steps])
    by_window = (tf.reshape(x, [batch, -1]) for x in (score, anomalous, valid))
    return (*by_window, by_step)


def expected(answered: Mapping[str, Expected], length: int) -> dict[str, Expected]:
    """The answers for series of `length` steps, which are one window each."""
    score = answered["anomaly_score"]
    each = np.repeat(score.values[:, None], length, axis=1)
    kept = ("anomaly_score", "anomalous", "valid")
    return {
        **{name: answered[name] for name in kept},
        ANOMALY_BY_STEP: answered.get(ANOMALY_BY_STEP, Expected(each)),
        ANOMALY_BY_WINDOW: Expected(score.values[:, None]),
        WINDOW_START: Expected(np.zeros((len(each), 1), np.int32)),
    }
