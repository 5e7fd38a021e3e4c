import numpy as np
import pytest
import tensorflow as tf

from pipelines.problems.anomalies import stream
from pipelines.serving.parity import Expected
from pipelines.serving.requests import series as read

LENGTH = 8


def judged(windows: tf.Tensor) -> dict[str, tf.Tensor]:
    """A detector to which a window is as strange as its largest value."""
    values, valid = read(windows)
    values = tf.where(tf.math.is_nan(values), 0.0, values)
    score = tf.where(valid, tf.reduce_max(values, axis=[1, 2]), 0.0)
    return {"anomaly_score": score, "anomalous": valid & (score > 1), "valid": valid}


def by_step(windows: tf.Tensor) -> dict[str, tf.Tensor]:
    """The same, which says how strange each step is: its value."""
    return {**judged(windows), "anomaly_by_step": read(windows)[0][:, :, 0]}


def answers(series, *, answer=judged):
    @tf.function(input_signature=[tf.TensorSpec([None, None, 1], tf.float32)])
    def serve(values):
        return stream.answers(answer, values, LENGTH)

    given = serve(np.asarray(series, np.float32)[..., None])
    return {name: value.numpy() for name, value in given.items()}


@pytest.mark.parametrize(
    ("steps", "starts"), [(8, [0]), (9, [0, 1]), (12, [0, 2, 4]), (13, [0, 2, 4, 5])]
)
def test_last_window_ends_with_the_series(steps, starts):
    assert stream.starts_of(tf.constant(steps), LENGTH).numpy().tolist() == starts


def test_step_has_the_mean_of_its_windows():
    series = np.zeros((1, 13))
    series[0, 12] = 4.0
    given = answers(series)
    assert given["window_start"].tolist() == [[0, 2, 4, 5]]
    assert given["anomaly_by_window"].tolist() == [[0, 0, 0, 4]]
    assert given["anomaly_score"].tolist() == [4]
    assert given["anomalous"].tolist() == [True]
    windows = np.array([0, 2, 4, 5])
    held = [(windows <= i) & (i < windows + LENGTH) for i in range(13)]
    means = [4 * one[3] / one.sum() for one in held]
    np.testing.assert_allclose(given["anomaly_by_step"][0], means, rtol=1e-6)


def test_detector_of_steps_says_where_it_is_strange():
    series = np.random.default_rng(0).uniform(size=(3, 700))
    given = answers(series, answer=by_step)
    np.testing.assert_allclose(given["anomaly_by_step"], series, rtol=1e-5)
    assert given["anomaly_by_window"].shape == (3, 347)
    np.testing.assert_allclose(given["anomaly_score"], series.max(axis=1), rtol=1e-6)


def test_gaps_count_for_nothing():
    series = np.full((4, 24), 0.5)
    series[0, 4:20] = np.nan
    series[1, 3] = np.inf
    series[2] = np.nan
    given = answers(series)
    assert given["valid"].tolist() == [True, False, False, True]
    assert (given["anomaly_by_window"][0] == 0).any()
    for name in ("anomaly_score", "anomaly_by_step", "anomaly_by_window", "anomalous"):
        assert not given[name][1:3].any()


@pytest.mark.parametrize("steps", [1, 5])
def test_short_series_end_in_missing_values(steps):
    given = answers(np.full((2, steps), 3.0))
    assert given["valid"].all()
    assert given["anomaly_by_step"].tolist() == [[3.0] * steps] * 2


@pytest.mark.parametrize("shape", [(0, 30), (2, 0)])
def test_nothing_is_answered_with_nothing(shape):
    given = answers(np.zeros(shape))
    assert given["anomaly_by_step"].shape == shape
    assert not given["valid"].any()


def test_one_window_is_expected_as_it_is():
    answered = {
        "anomaly_score": Expected(np.float32([0.5, 2.0])),
        "anomalous": Expected(np.array([False, True])),
        "valid": Expected(np.array([True, True])),
        "p_value": Expected(np.float32([0.5, 0.1])),
    }
    wanted = stream.expected(answered, LENGTH)
    series = np.float32([[0.5], [2.0]]).repeat(LENGTH, axis=1)
    given = answers(series)
    assert set(wanted) == set(given)
    for name, value in wanted.items():
        np.testing.assert_array_equal(given[name], value.values)
