"""The statistics of held-out examples that an artifact holds, if it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.calibration.portions import portions
from pipelines.problems.protocol import Outputs
from pipelines.serving.training_data.reference import DriftReference
from pipelines.stages.calibrate import Calibrated


def reference_of(
    calibrated: Calibrated, *, class_names: Sequence[str]
) -> DriftReference:
    """The statistics of validation and test, which trained nothing."""
    held_out = (calibrated.validation, calibrated.test)
    answers = [_answers(calibrated, outputs) for outputs in held_out]
    scores, confidences, predicted = map(np.concatenate, zip(*answers))
    return DriftReference.of(
        np.concatenate([outputs.features for outputs in held_out]),
        ood_scores=scores,
        confidences=confidences,
        predicted=predicted,
        labels=calibrated.validation.labels,
        class_names=class_names,
    )


def _answers(
    calibrated: Calibrated, outputs: Outputs
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, confidences and predicted classes, `[n]` each."""
    parts = []
    for some in portions(*outputs.logits.shape):
        answers = calibrated.calibration.answer(
            outputs.logits[some], outputs.features[some]
        )
        confidences = answers.probabilities.max(axis=1)
        parts.append((answers.ood_score, confidences, answers.labels))
    scores, confidences, predicted = map(np.concatenate, zip(*parts))
    return scores, confidences, predicted
