"""Statistics of held-out examples: what is kept, and what a file must hold."""

import numpy as np
import pytest

from pipelines.errors import ArtifactError
from pipelines.serving.training_data.reference import (
    DIRECTIONS,
    FILE,
    DriftReference,
    load,
)

_DRAW = np.random.default_rng(0)
FEATURES = _DRAW.normal(3, [1, 5, 0.1, 2], (3000, 4))


def _reference(count=3000):
    return DriftReference.of(
        FEATURES[:count],
        ood_scores=np.arange(count) / count,
        confidences=np.full(count, 0.9),
        predicted=np.arange(count) % 2,
        labels=np.array([0, 0, 0, 2]),
        class_names=["a", "b", "c"],
    )


def test_reference_keeps_at_most_two_thousand():
    kept = _reference()
    assert kept.projections.shape == (2000, DIRECTIONS)
    assert len(kept.ood_scores) == len(kept.confidences) == 2000
    assert kept.predicted.sum() == 2000
    assert kept.predicted[2] == 0
    assert kept.labels.tolist() == [3, 0, 1]
    assert (_reference(5).projections.shape, DIRECTIONS) == ((5, 16), 16)


def test_projections_of_the_same_examples_are_the_same():
    kept = _reference(50)
    np.testing.assert_allclose(
        kept.projected(FEATURES[:50]), kept.projections, atol=1e-5
    )


def test_saved_statistics_come_back(tmp_path):
    kept = _reference(50)
    kept.save(tmp_path)
    again = load(tmp_path)
    assert again.class_names == ("a", "b", "c")
    for name in ("ood_scores", "projections", "predicted", "labels", "mean", "scale"):
        np.testing.assert_array_equal(getattr(again, name), getattr(kept, name))


def test_missing_or_broken_statistics_are_refused(tmp_path):
    with pytest.raises(ArtifactError, match="Train with config.export.drift=True"):
        load(tmp_path)
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_bytes(b"PK")
    with pytest.raises(ArtifactError, match="cannot be read: .* Export the run again"):
        load(tmp_path)
