"""Numbers behind the protocol."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.config import FinetuneConfig, RunConfig
from pipelines.errors import ConfigError, DataError
from pipelines.problems.regression import Regression

LABELS = np.float32([[1, 100], [2, 200], [3, 300], [4, 400]])
PROBLEM = Regression(("small", "large"), LABELS)


def test_the_loss_standardizes_raw_targets():
    standardized = PROBLEM.standardized(LABELS)
    np.testing.assert_allclose(standardized.std(axis=0), 1, rtol=1e-6)
    right = tf.constant(standardized, tf.float32)
    loss = PROBLEM.loss(soft=False)
    assert float(loss(tf.constant(LABELS), right)) == pytest.approx(0, abs=1e-9)
    near, far = (float(loss(LABELS, right + off)) for off in (0.1, 10.0))
    assert near == pytest.approx(0.005, rel=1e-3)
    assert far == pytest.approx(1.345 * 10 - 1.345**2 / 2, rel=1e-3)


@pytest.mark.parametrize(("name", "off"), [("huber", 3), ("squared", 3), ("huber", 1)])
def test_losses_are_those_that_the_guard_judges(name, off):
    problem = PROBLEM.with_loss(name)
    outputs = (problem.standardized(LABELS) + off).astype(np.float32)
    loss = float(problem.loss(soft=False)(tf.constant(LABELS), outputs))
    expected = 1.345 * 3 - 1.345**2 / 2 if (name, off) == ("huber", 3) else off**2 / 2
    assert loss == pytest.approx(expected, rel=1e-3)
    judged = problem.judge(outputs, LABELS)
    assert -judged.log_p.mean() == pytest.approx(loss, rel=1e-3)
    assert PROBLEM.threshold == 1.345


def test_an_artifact_of_other_targets_is_refused():
    assert PROBLEM.aligned(LABELS, ("a", "b")) is LABELS
    with pytest.raises(DataError, match="have 1 targets .*predicts 2 .small, large"):
        PROBLEM.aligned(LABELS[:, :1], ("a",))


def test_a_constant_target_has_a_scale():
    assert Regression(("x",), np.ones((3, 1), np.float32)).scale.tolist() == [1.0]


def test_label_smoothing_of_numbers_is_refused_by_name():
    config = RunConfig(finetune=FinetuneConfig(label_smoothing=0.1))
    with pytest.raises(ConfigError, match="label_smoothing is 0.1.*'regression'"):
        PROBLEM.check_config(config)
    with pytest.raises(ValueError, match="no label smoothing"):
        PROBLEM.smoothed(LABELS, 0.1)


def test_folds_have_intervals_of_one_width():
    """Their held-out examples train too."""
    config = RunConfig(folds=5)
    PROBLEM.check_config(config)
    assert PROBLEM.calibration_config(config).widths == "same"
    assert PROBLEM.calibration_config(RunConfig()).widths == "auto"
    config.calibration.widths = "by_example"
    with pytest.raises(ConfigError, match="'by_example' and config.folds is 5"):
        PROBLEM.check_config(config)
