"""The classifier behind the protocol."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import DataError
from pipelines.problems.single_label import ClassTally, SingleLabel

CATS = SingleLabel(("cat", "dog", "ant"))


def test_a_tally_counts_batches_as_one_split():
    probabilities = np.float32([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.4, 0.3]])
    labels = np.array([0, 1, 2])
    tally = ClassTally(CATS.names)
    for rows in (slice(0, 2), slice(2, 3)):
        tally.add(labels[rows], {"probabilities": probabilities[rows]})
    report = tally.report("all")
    assert (report.examples, report.accuracy) == (3, pytest.approx(2 / 3))
    zero = CATS.tally()
    zero.add(np.array([1]), {"probabilities": np.float32([[1, 0, 0]])})
    assert 80 < zero.report("all").loss < 90


def test_other_labels_get_the_order_of_the_artifact():
    aligned = CATS.aligned(np.array([0, 1, 1]), ("ant", "cat"))
    assert aligned.tolist() == [2, 0, 0]
    with pytest.raises(DataError, match=r"have the classes \['owl'\]"):
        CATS.aligned(np.array([0]), ("owl",))


def test_mixed_labels_are_judged_by_their_larger_part():
    assert CATS.hard(np.float32([[0.3, 0.7, 0]])).tolist() == [1]
    judged = CATS.judge(np.float32([[0, 2, 0], [np.nan, 0, 0]]), np.array([1, 0]))
    assert judged.quality.tolist() == [True, False]
    assert np.isnan(judged.log_p[1])


def test_smoothed_labels_keep_their_sum_and_order():
    plain = np.array(CATS.smoothed(tf.constant([0, 2]), 0.3))
    np.testing.assert_allclose(plain, [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]], rtol=1e-6)
    mixed = np.array(CATS.smoothed(tf.constant([[0.5, 0.5, 0.0]]), 0.3))
    np.testing.assert_allclose(mixed, [[0.45, 0.45, 0.1]], rtol=1e-6)
