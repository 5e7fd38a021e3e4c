"""Divergence against the integral that it is, and the answers of a source."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from pipelines.planning.similarity import (
    block_divergence,
    channel_divergences,
    source_answers,
    source_probabilities,
)


@pytest.mark.parametrize("mean", [0.0, 0.7, -3.0])
@pytest.mark.parametrize("variance", [0.25, 1.0, 4.0])
def test_it_is_the_integral_of_the_log_ratio(mean, variance):
    data, source = norm(mean, np.sqrt(variance)), norm(0.0, 1.0)

    def integrand(x):
        return data.pdf(x) * (data.logpdf(x) - source.logpdf(x))

    expected, _ = quad(integrand, mean - 20, mean + 20, points=[mean])
    found = channel_divergences(
        np.array([mean]), np.array([variance + mean**2]), floor=np.array([0.0])
    )
    assert found == pytest.approx([expected], abs=1e-7)


def test_divergence_is_zero_or_finite():
    floor = np.array([0.1, 0.1])
    # Of variance 1 with epsilon, 0.9 is the source's own.
    found = channel_divergences(np.zeros(2), np.array([0.9, 0.0]), floor=floor)
    assert found[0] == pytest.approx(0.0)
    assert found[1] == pytest.approx(0.5 * (0.1 - 1 - np.log(0.1)))


def test_rounding_below_a_variance_of_zero_is_none():
    found = channel_divergences(
        np.array([1.0]), np.array([1.0 - 1e-7]), floor=np.array([1e-3])
    )
    assert np.isfinite(found).all()


def test_wild_channel_moves_mean_not_median():
    found = block_divergence("stem", np.array([0.1, 0.2, 300.0]))
    assert (found.block, found.channels, found.median) == ("stem", 3, 0.2)
    assert found.divergence == pytest.approx(100.1)


def test_answers_of_sure_and_unsure_sources():
    sure = source_answers(np.eye(4)[[0, 0, 1, 1]])
    assert (sure.classes, sure.confidence) == (4, 1.0)
    assert (sure.entropy, sure.spread) == pytest.approx((1.0, 2.0))
    even = source_answers(np.full((3, 4), 0.25))
    assert (even.confidence, even.entropy, even.spread) == pytest.approx((0.25, 4, 4))


def test_probabilities_sum_to_one_for_large_logits():
    features = np.array([[1.0, 0.0], [0.0, 1.0], [2000.0, 0.0]], np.float16)
    kernel = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]], np.float32)
    found = source_probabilities(features, kernel, np.zeros(3, np.float32))
    assert found.sum(axis=1) == pytest.approx([1, 1, 1])
    assert found[0] == pytest.approx(np.exp([1, 0, 0]) / (np.e + 2))
    assert found[2] == pytest.approx([1, 0, 0])
