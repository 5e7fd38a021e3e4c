"""The shares of classes in a batch, from probabilities for others."""

import numpy as np
import pytest

import pipelines
from pipelines.errors import ArtifactError, DataError
from pipelines.serving.artifact import read_manifest
from pipelines.serving.training_data.prior import (
    estimated_shares,
    reweighted,
    shares_of,
    trained_shares,
)

TRAINED = np.array([0.5, 0.5])


def _posterior(labels, draw, trained):
    """Exact probabilities for values around -1 and 1, if classes have these shares."""
    x = draw.normal(2 * labels - 1, 1.0)
    odds = np.exp(2 * x) * trained[1] / trained[0]
    return np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)


def test_estimate_comes_near_to_other_shares():
    draw = np.random.default_rng(0)
    labels = (draw.random(4000) < 0.15).astype(int)
    probabilities = _posterior(labels, draw, TRAINED)
    # Answers alone say too many of the rare class.
    assert (probabilities.argmax(axis=1) == 1).mean() > 0.22
    shares = estimated_shares(probabilities, TRAINED)
    assert abs(shares[1] - labels.mean()) < 0.02
    better = reweighted(probabilities, TRAINED, shares)
    right = [(p.argmax(axis=1) == labels).mean() for p in (probabilities, better)]
    assert right[1] > right[0] + 0.02
    np.testing.assert_allclose(better.sum(axis=1), 1)


def test_same_shares_stay():
    draw = np.random.default_rng(1)
    labels = draw.integers(0, 2, 4000)
    probabilities = _posterior(labels, draw, TRAINED)
    assert abs(estimated_shares(probabilities, TRAINED)[1] - 0.5) < 0.03
    same = reweighted(probabilities, TRAINED, TRAINED)
    np.testing.assert_allclose(same, probabilities, atol=1e-9)


def test_class_without_examples_in_training_has_no_nan():
    probabilities = np.array([[1.0, 0.0, 0.0], [0.2, 0.8, 0.0]])
    shares = estimated_shares(probabilities, np.array([3, 1, 0]))
    assert np.isfinite(shares).all()
    assert shares[2] < 1e-6


def test_predictor_answers_for_another_prior(finished_run):
    predictor = pipelines.load(finished_run / "artifact")
    images = list(np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8))
    plain = predictor.predict([*images, b"no image"])
    names = predictor.artifact.manifest.class_names
    trained = dict(zip(names, trained_shares(predictor.artifact.manifest)))
    same = predictor.predict([*images, b"no image"], prior=trained)
    for row, before in zip(same, plain):
        assert (row.label, row.accepted) == (before.label, before.accepted)
        assert row.prediction_set == before.prediction_set
        assert row.confidence == pytest.approx(before.confidence, abs=1e-6)
    sevens = {name: 1.0 if name == "7" else 0.0 for name in names}
    for row in predictor.predict(images, prior=sevens):
        assert row.label == row.prediction_set[0] == "7"
        assert row.confidence == pytest.approx(1, abs=1e-6)
        assert row.accepted == (row.ood_score <= 1)


def test_prior_of_other_shares_is_refused():
    assert shares_of({"b": 0.25, "a": 0.75}, ["a", "b"]).tolist() == [0.75, 0.25]
    with pytest.raises(DataError, match="differ in c"):
        shares_of({"a": 0.5, "b": 0.5, "c": 0}, ["a", "b"])
    for bad in (0.6, -0.5, float("nan")):
        with pytest.raises(DataError, match="from 0 to 1 that sum to 1"):
            shares_of({"a": 0.5, "b": bad}, ["a", "b"])


def test_artifact_without_classes_has_no_shares(finished_run):
    manifest = read_manifest(finished_run / "artifact" / "1")
    del manifest.signatures["serving_default"]["outputs"]["label"]
    with pytest.raises(ArtifactError, match="Ask it without a prior"):
        trained_shares(manifest)
