"""The model card of a run on numbers."""

import numpy as np
import yaml

from pipelines.calibration.intervals import Interval, NumberCalibration
from pipelines.config import RunConfig
from pipelines.data.reference import DatasetRef
from pipelines.problems.number_reports import report
from pipelines.runs.measures_card import measures_card
from pipelines.runs.prepare import prepare
from pipelines.runtime.clock import Clock
from pipelines.stages.evaluate import Evaluation
from tests.support.labelled import in_arrays


def test_the_card_has_the_measures_of_its_kind(tmp_path):
    data = in_arrays(tmp_path, np.linspace(0, 9, 60))
    config = RunConfig(
        data=data, backbone="tiny_image", weights="none", strategy="scratch"
    )
    prepared = prepare(config, DatasetRef.parse(data), Clock())
    assert prepared.problem.name == "regression"
    truth = np.float32([[0], [1], [2]])
    answers = {
        "values": truth + 0.25,
        "lower": truth - 1,
        "upper": truth + 1,
        "accepted": np.ones(3, bool),
    }
    made = report("test", truth, answers, ("a|b",))
    fitted = NumberCalibration(
        (0.0,), (1.0,), (Interval(0.9, 0.9, (1.0,)),), 3, None, "From 3 examples."
    )
    evaluation = Evaluation(made, made, {"median_of_training": 2.0})
    card = measures_card("tiny on arrays", prepared, fitted, evaluation)
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["metrics"] == ["mean_absolute_error", "r2"]
    assert "| mean absolute error | 0.2500 | 0.2500 |" in card
    assert "median of training 2.0000" in card
    assert "a\\|b" in card
    assert "From 3 examples." in card
