"""The linear probe: folds its scaling in, and finds what is linear."""

import numpy as np
import pytest

from pipelines.planning.probe import linear_probe


def _clusters(classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features `[40 * classes, 8]` around one far centre per class, off zero."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(50.0, 5.0, (classes, 8))
    labels = np.repeat(np.arange(classes), 40)
    return (centres[labels] + rng.normal(0, 0.5, (len(labels), 8))).astype(
        np.float32
    ), labels


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_kernel_and_bias_apply_to_raw_features(classes):
    train, labels = _clusters(classes, seed=0)
    validation, validation_labels = _clusters(classes, seed=1)
    probe = linear_probe(train, labels, validation, validation_labels)
    predicted = (validation @ probe.kernel + probe.bias).argmax(axis=1)
    assert probe.kernel.shape == (8, classes)
    assert probe.validation_accuracy == (predicted == validation_labels).mean() == 1.0


def test_shuffled_labels_cannot_be_probed():
    train, labels = _clusters(4, seed=0)
    shuffled = np.random.default_rng(0).permutation(labels)
    validation, validation_labels = _clusters(4, seed=1)
    probe = linear_probe(train, shuffled, validation, validation_labels)
    assert probe.validation_accuracy < 0.6


def test_constant_features_are_no_reason_to_fail():
    features = np.ones((10, 4), np.float32)
    labels = np.array([0, 1] * 5)
    probe = linear_probe(features, labels, features, labels)
    assert np.isfinite(probe.kernel).all()
    assert probe.validation_accuracy == 0.5
