"""The examples of a page are the telling ones, and few."""

from __future__ import annotations

import numpy as np

from pipelines.stages.gallery.picks import Answered, pick, samples


def answered(labels, predicted, confidence) -> Answered:
    features = np.arange(len(labels), dtype=np.float32)[:, np.newaxis]
    return Answered(
        np.array(labels), np.array(predicted), np.array(confidence), features
    )


def test_mistakes_come_most_confident_first():
    picked = pick(answered([0, 0, 1, 1], [1, 0, 0, 0], [0.6, 0.99, 0.9, 0.7]))
    assert picked["mistake"] == [2, 3, 0]


def test_pairs_come_most_confused_first():
    picked = pick(answered([0, 1, 1, 1, 1], [1, 2, 0, 0, 0], [0.9, 0.8, 0.5, 0.6, 0.7]))
    assert picked["pair"] == [4, 3, 2, 0, 1]


def test_typical_lie_nearest_to_the_mean():
    picked = pick(answered([0, 0, 0, 0, 1], [0, 0, 0, 1, 1], [0.9] * 5))
    # Of rows 0 to 2, with features 0 to 2, the mean is 1. Class 0 has the mistake.
    assert picked["typical"] == [1, 4, 0, 2]


def test_a_class_has_four_examples_at_most():
    labels = [0] * 20
    picked = pick(answered(labels, [1] * 10 + [0] * 10, np.linspace(0.5, 1, 20)))
    assert [len(rows) for rows in picked.values()] == [4, 3, 4]
    assert samples(np.array(labels)) == [0, 6, 12, 19]


def test_a_thousand_classes_have_200_examples():
    rng = np.random.default_rng(0)
    labels = np.arange(5000) % 1000
    predicted = np.where(rng.random(5000) < 0.5, labels, (labels + 1) % 1000)
    picked = pick(answered(labels, predicted, rng.random(5000)))
    assert sum(map(len, picked.values())) == 150
    assert len(samples(labels)) == 50


def test_nothing_wrong_has_only_typical_examples():
    picked = pick(answered([0, 1], [0, 1], [0.9, 0.8]))
    assert picked == {"mistake": [], "pair": [], "typical": [0, 1]}


def test_single_class_without_a_right_answer():
    picked = pick(answered([2], [0], [0.9]))
    assert picked == {"mistake": [0], "pair": [0], "typical": []}
