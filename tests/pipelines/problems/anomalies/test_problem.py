"""Runs on normal examples refuse by name what needs labels or training."""

import dataclasses

import numpy as np
import pytest

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.problems.anomalies.problem import Anomaly
from pipelines.problems.protocol import Outputs
from pipelines.problems.registry import make
from pipelines.serving.naming import ANOMALY_KINDS

PROBLEM = make("anomaly", ANOMALY_KINDS, np.zeros(30, np.int64))
RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(30, 6)).astype(np.float32)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("strategy", "partial"),
        ("folds", 5),
        ("test_views", "flip"),
        ("imbalance", "weights"),
        ("distribution", "mirrored"),
        ("head.pooling", "max"),
        ("head.hidden_units", (8,)),
        ("head.dropout", 0.2),
        ("export.explain", True),
        ("calibration.least_precision", 0.9),
        ("backbone", "auto"),
    ],
)
def test_fields_that_train_or_compare_are_refused(path, value):
    config = RunConfig()
    PROBLEM.check_config(config)
    part, _, field = path.rpartition(".")
    setattr(getattr(config, part) if part else config, field, value)
    with pytest.raises(ConfigError, match=rf"config\.{path}"):
        PROBLEM.check_config(config)


def test_the_method_of_the_config_is_the_detector():
    config = RunConfig()
    assert PROBLEM.detector(config, "image") == "auto"
    config.anomaly.method = "pca"
    assert PROBLEM.detector(config, "series") == "pca"
    assert PROBLEM.calibration_config(config) is config.anomaly


def test_far_training_examples_are_named_in_numbers(caplog):
    labels = np.zeros(31, np.int64)
    rows = np.concatenate([FEATURES, FEATURES[:1] + 100])
    scored = PROBLEM.score([rows], labels, groups=None, reads=("b",), grid=1)
    assert scored.accuracy == PROBLEM.floor(labels)
    detector = PROBLEM.linear_probe([rows], labels, scored)
    assert detector.left_out.tolist() == [30]
    assert "1 of 31 normal training examples are far" in caplog.text
    (layer,) = PROBLEM.output_layers(detector)
    assert layer.method == "dfm"


def test_tallies_of_batches_give_the_report_of_all(caplog):
    scores = RNG.gamma(2, size=(40, 1)).astype(np.float32)
    labels = (np.arange(40) % 2).astype(np.int64)
    of = Outputs("test", labels, scores, scores)
    calibration = PROBLEM.calibrate(of, scores, labels, calibration=RunConfig().anomaly)
    whole, tally = PROBLEM.evaluate(calibration, of), PROBLEM.tally()
    answers = vars(calibration.answer(scores, scores))
    for some in (slice(0, 25), slice(25, 40)):
        tally.add(labels[some], {name: rows[some] for name, rows in answers.items()})
    assert tally.report("test") == whole
    assert PROBLEM.baselines(None, whole) == {"guessing": 0.5}
    worse = dataclasses.replace(whole, auroc=0.4)
    PROBLEM.baselines(None, worse)
    assert "does not see what is strange" in caplog.text


@pytest.mark.parametrize("question", ["epoch_metrics", "_not_trained"])
def test_questions_of_training_have_no_answer(question):
    with pytest.raises(ValueError, match="nothing trains"):
        getattr(Anomaly(ANOMALY_KINDS, np.zeros(3)), question)()


@pytest.mark.parametrize(
    ("field", "value"), [("network", "recurrent"), ("regularizer", "none")]
)
def test_networks_are_refused_without_an_autoencoder(field, value):
    config = RunConfig()
    setattr(config.anomaly, field, value)
    with pytest.raises(ConfigError, match=rf"config\.anomaly\.{field}"):
        PROBLEM.check_config(config)
    config.anomaly.method = "autoencoder"
    PROBLEM.check_config(config)
    assert value in PROBLEM.detector(config, "series").split(":")
