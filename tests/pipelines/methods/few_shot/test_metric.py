import numpy as np
import pytest

from pipelines.methods.few_shot.episodes import Setting, accuracies
from pipelines.methods.few_shot.heads import centroid
from pipelines.methods.few_shot.metric import learned_metric, stretched

SETTING = Setting(ways=3, shots=1, queries=5, episodes=60)


def rows_of(noisy, seed, classes=12):
    """Classes that differ in four features, and noise in others."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), 10)
    signal = rng.normal(size=(classes, 4))[labels] + 0.3 * rng.normal(size=(120, 4))
    rows = np.hstack([signal, noisy * rng.normal(size=(120, 4))])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), labels


def test_metric_helps_with_other_classes():
    matrix = learned_metric(*rows_of(2.0, seed=0), SETTING)
    rows, labels = rows_of(2.0, seed=1)
    plain = accuracies(rows, labels, SETTING, [centroid]).mean()
    learned = accuracies(stretched(rows, matrix), labels, SETTING, [centroid]).mean()
    assert learned > plain + 0.05


def test_metric_without_gain_is_refused():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(120, 8))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    matrix = learned_metric(rows, np.repeat(np.arange(12), 10), SETTING)
    few = learned_metric(rows[:4], np.arange(4), SETTING)
    np.testing.assert_array_equal(few, np.eye(8))
    assert np.linalg.norm(stretched(rows, matrix), axis=1) == pytest.approx(1)
