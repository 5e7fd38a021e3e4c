"""Gaps of series are filled from their neighbours, and padding is not counted."""

import numpy as np
import pytest

from zoo.graph.gaps import filled, lengths

NAN = np.nan


def _series(*channels):
    return np.array(channels, np.float32).T[None]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, NAN, NAN, 4], [1, 2, 3, 4]),
        ([NAN, 2, 6, NAN], [2, 2, 6, 6]),
        ([NAN, NAN, NAN, NAN], [0, 0, 0, 0]),
        ([NAN, NAN, 7, NAN], [7, 7, 7, 7]),
        ([0.1, -0.2, 3e8, 4], [0.1, -0.2, 3e8, 4]),
    ],
)
def test_filled_takes_the_line_between_neighbours(values, expected):
    result = filled(_series(values, [1, 2, 3, 4])).numpy()
    np.testing.assert_array_equal(result[0, :, 0], np.float32(expected))
    np.testing.assert_array_equal(result[0, :, 1], [1, 2, 3, 4])


def test_filled_agrees_with_numpy_on_long_series():
    rng = np.random.default_rng(0)
    series = rng.normal(size=(3, 301, 2)).astype(np.float32)
    holes = rng.random(series.shape) < 0.6
    result = filled(np.where(holes, np.float32(NAN), series)).numpy()
    steps = np.arange(301)
    for i in range(3):
        for channel in range(2):
            there = ~holes[i, :, channel]
            expected = np.interp(steps, steps[there], series[i, there, channel])
            np.testing.assert_allclose(result[i, :, channel], expected, atol=1e-5)


def test_lengths_end_with_the_last_value():
    both = np.concatenate(
        [
            _series([1, 2, NAN, NAN], [1, NAN, 3, NAN]),
            _series([NAN] * 4, [NAN] * 4),
            _series([NAN, 1, NAN, 2], [NAN] * 4),
        ]
    )
    assert lengths(both).numpy().tolist() == [3, 1, 4]
