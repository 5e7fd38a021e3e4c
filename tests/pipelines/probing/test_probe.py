"""The linear probe: folds its scaling in, and finds what is linear."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.datasets import load_digits

from pipelines.errors import TrainingError
from pipelines.probing import ridge
from pipelines.probing.probe import (
    linear_probe,
    refit,
    score,
    standardization_of,
)


def _clusters(classes: int, seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Two blocks of features, one of them tiny, around a far centre per class."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(50.0, 5.0, (classes, 8))
    labels = np.repeat(np.arange(classes), 40)
    features = centres[labels] + rng.normal(0, 0.5, (len(labels), 8))
    parts = [features[:, :5], features[:, 5:] * 1e-3]
    return [part.astype(np.float32) for part in parts], labels


def _scored(parts, labels, groups=None):
    return score(parts, labels, groups=groups, reads=("a", "b"), grid=1)


def _logits(probe, parts):
    return probe.standardization(parts) @ probe.kernel + probe.bias


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_a_probe_is_right_about_new_examples(classes):
    parts, labels = _clusters(classes, seed=0)
    others, other_labels = _clusters(classes, seed=1)
    scored = _scored(parts, labels)
    probe = linear_probe(parts, labels, scored)
    assert probe.kernel.shape == (8, classes)
    assert (_logits(probe, others).argmax(axis=1) == other_labels).all()
    assert scored.accuracy == 1.0
    assert 0 < scored.standard_error < 0.05
    assert scored.width == 8


def test_shuffled_labels_cannot_be_probed():
    parts, labels = _clusters(4, seed=0)
    shuffled = np.random.default_rng(0).permutation(labels)
    assert _scored(parts, shuffled).accuracy < 0.5 < _scored(parts, labels).accuracy


def test_confidence_of_a_probe_matches_its_accuracy():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 4000)
    parts = [(labels[:, None] + rng.normal(0, 1.0, (4000, 1))).astype(np.float32)]
    probe = linear_probe(parts, labels, _scored(parts, labels))
    logits = _logits(probe, parts)
    sure = 1 / (1 + np.exp(-np.abs(logits[:, 1] - logits[:, 0])))
    right = (logits.argmax(axis=1) == labels).mean()
    assert sure.mean() == pytest.approx(right, abs=0.02)


@pytest.mark.parametrize("per_class", [1, 2])
def test_confidence_matches_accuracy_with_few_examples(per_class):
    """Nothing that is left out tells how sure to be, so it is as sure as usual."""
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    known = np.concatenate([order[labels[order] == c][:per_class] for c in range(10)])
    others = np.setdiff1d(order, known)
    parts = [pixels[known].astype(np.float32)]
    probe = linear_probe(parts, labels[known], _scored(parts, labels[known]))
    logits = _logits(probe, [pixels[others]])
    sure = softmax(logits, axis=1).max(axis=1)
    right = (logits.argmax(axis=1) == labels[others]).mean()
    assert right > 0.5
    assert sure.mean() == pytest.approx(right, abs=0.2)


def test_constant_features_do_not_fail():
    labels = np.array([0, 1] * 5)
    scored = _scored([np.ones((10, 4), np.float32)], labels)
    probe = linear_probe([np.ones((10, 4), np.float32)], labels, scored)
    assert np.isfinite(probe.kernel).all()
    assert scored.accuracy <= 0.5


def test_a_nan_feature_names_its_example():
    parts, labels = _clusters(2, seed=0)
    parts[1][7, 1] = np.nan
    with pytest.raises(TrainingError, match="for training example 7"):
        _scored(parts, labels)


def test_the_standardized_norm_does_not_depend_on_width():
    for width in (10, 1000):
        part = np.random.default_rng(0).normal(3.0, 0.1, (50, width))
        scaled = standardization_of([part])([part])
        assert np.linalg.norm(scaled, axis=1).mean() == pytest.approx(4.0, rel=0.1)


def test_refit_leaves_each_row_out():
    """Its logits for a row are those of a probe that has not seen it."""
    rng = np.random.default_rng(0)
    labels = np.arange(30) % 3
    features = (rng.normal(size=(30, 50)) + 0.4 * np.eye(3, 50)[labels]).astype("f4")
    refitted = refit([features], labels, groups=None)
    whole = refitted.probe
    standardized = whole.standardization([features])
    seen = standardized @ whole.kernel + whole.bias
    assert (seen.argmax(axis=1) == labels).mean() > 0.95
    assert np.abs(seen - refitted.left_out).max() > 0.1
    fitted = ridge.fit(standardized, labels)
    rest = np.arange(30) != 4
    kernel, bias = _solved(standardized, labels, rest, fitted.penalty)
    factor = whole.kernel[0, 0] / fitted.kernel[0, 0]
    alone = factor * (standardized[4] @ kernel + bias)
    np.testing.assert_allclose(refitted.left_out[4], alone, rtol=1e-3, atol=1e-3)


def _solved(x, labels, rest, penalty):
    """By the normal equations, with the penalty of all rows."""
    mean = x[rest].mean(axis=0)
    targets = np.eye(3)[labels[rest]]
    centred = x[rest] - mean
    scale = np.square(x - x.mean(axis=0)).sum() / len(x)
    gram = centred @ centred.T + penalty * scale * np.eye(len(centred))
    kernel = centred.T @ np.linalg.solve(gram, targets - targets.mean(axis=0))
    return kernel, targets.mean(axis=0) - mean @ kernel
