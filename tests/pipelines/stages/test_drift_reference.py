"""The statistics of a calibrated model are of its answers on held-out examples."""

import types

import numpy as np

from pipelines.problems.protocol import Outputs
from pipelines.stages.calibrate import Calibrated
from pipelines.stages.drift_reference import reference_of


def _outputs(name, labels):
    logits = np.eye(3, dtype=np.float32)[labels] * 4
    return Outputs(name, labels, logits, np.tile(logits, (1, 2)))


class _Plain:
    """A calibration that takes logits as they are."""

    def answer(self, logits, features):
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return types.SimpleNamespace(
            probabilities=probabilities,
            labels=probabilities.argmax(axis=1),
            ood_score=features[:, 0],
        )


def test_reference_has_answers_of_both_splits():
    validation, test = np.array([0, 0, 1]), np.array([2, 2, 1, 0])
    calibrated = Calibrated(
        _Plain(), _outputs("validation", validation), _outputs("test", test)
    )
    kept = reference_of(calibrated, class_names=["a", "b", "c"])
    assert kept.predicted.tolist() == [3, 2, 2]
    assert kept.labels.tolist() == [2, 1, 0]
    assert kept.ood_scores.tolist() == [4, 4, 0, 0, 0, 0, 4]
    assert kept.projections.shape == (7, 16)
