import numpy as np
import pytest

from pipelines.planning.paired import paired_gain


def test_gain_compares_the_same_examples():
    before = np.array([True] * 50 + [False] * 50)
    after = np.array([True] * 50 + [True] * 10 + [False] * 40)
    gain, standard_error = paired_gain(before, after, unit=1.0)
    assert gain == pytest.approx(0.1)
    assert standard_error == pytest.approx(11**0.5 / 100)
    assert paired_gain(before, before, unit=1.0) == (0.0, 0.01)


def test_examples_count_by_their_weights():
    # Nine of one class lost and one of the other won: even, if both classes count.
    weights = np.array([1.0] * 18 + [9.0] * 2)
    before = np.array([True] * 18 + [False] * 2)
    after = np.array([False] * 9 + [True] * 10 + [False])
    gain, error = paired_gain(before, after, weights=weights, unit=1.0)
    assert gain == pytest.approx(0.0)
    assert error == pytest.approx((9 + 81 + 81) ** 0.5 / 36)
    assert paired_gain(before, after, unit=1.0)[0] == pytest.approx(-0.4)


def test_a_group_counts_as_one_draw():
    after, before = np.ones(8), np.repeat([1.0, 0.0], 4)
    mean, alone = paired_gain(before, after)
    _, grouped = paired_gain(before, after, groups=np.arange(8) // 4)
    assert mean == 0.5
    assert alone == pytest.approx(1.5 / 8)
    assert grouped == pytest.approx(12**0.5 / 8)


def test_error_shrinks_with_root_of_examples():
    rng = np.random.default_rng(0)
    changes = rng.normal(0.1, 1, 4000)
    _, few = paired_gain(np.zeros(1000), changes[:1000])
    _, many = paired_gain(np.zeros(4000), changes)
    assert few / many == pytest.approx(2, abs=0.1)
    assert many == pytest.approx(1 / 4000**0.5, rel=0.05)
