"""Validation and test are evaluated as the problem of the data says."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from pipelines.calibration.calibration import uncalibrated
from pipelines.errors import DataError
from pipelines.stages.calibrate import Calibrated
from pipelines.stages.evaluate import evaluate_artifact, evaluate_held_out
from pipelines.stages.outputs import Outputs


def test_both_splits_are_evaluated_with_their_scores(splits):
    outputs = [
        Outputs(
            part.name,
            part.labels,
            8.0 * np.eye(10, dtype=np.float32)[part.labels],
            np.zeros((len(part), 1), np.float32),
        )
        for part in (splits.validation, splits.test)
    ]
    calibrated = Calibrated(uncalibrated(10, reason="as it is"), *outputs)
    evaluation = evaluate_held_out(calibrated, splits)
    assert [report.accuracy for report in evaluation.reports] == [1.0, 1.0]
    assert evaluation.test.examples == len(splits.test)
    assert (evaluation.test_scores.predicted == splits.test.labels).all()
    assert 0 < evaluation.baselines["commonest_class"] < 0.2
    info = dataclasses.replace(splits.info, problem="ordinal")
    graded = evaluate_held_out(calibrated, dataclasses.replace(splits, info=info))
    assert graded.test.quadratic_kappa == 1.0


@pytest.mark.parametrize(
    ("problem", "fault"),
    [
        ("multi_label", "so each example has exactly one label. The artifact answers"),
        ("regression", "take them out. The artifact answers 'regression': name data"),
    ],
)
def test_other_labels_are_named_without_config(tmp_path, problem, fault):
    (tmp_path / "few.csv").write_text("text,label\na b,x\nc d,y\n")
    manifest = SimpleNamespace(problem=problem, fingerprints=(), preprocessing={})
    predictor = SimpleNamespace(artifact=SimpleNamespace(manifest=manifest))
    with pytest.raises(DataError, match=fault) as refused:
        evaluate_artifact(predictor, f"csv:{tmp_path}/few.csv", split="all")
    assert "config." not in str(refused.value)
