"""Main directions of two domains, and heads behind them."""

import numpy as np

from pipelines.methods.adaptation.domains import main_directions
from tests.pipelines.methods.adaptation.gaussians import WIDTH, shifted_domains


def test_main_directions_have_mean_square_one():
    domains, _ = shifted_domains()
    source, target = domains.reduced
    squares = (np.square(source).mean() + np.square(target).mean()) / 2
    np.testing.assert_allclose(squares, 1, rtol=1e-3)


def test_main_directions_drop_constant_features():
    rows = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    rows[:, 2:] = 1.0
    assert main_directions(rows, rows).axes.shape == (4, 2)


def test_head_of_reduced_features_reads_raw_ones():
    domains, _ = shifted_domains()
    rng = np.random.default_rng(0)
    width = domains.directions.axes.shape[1]
    hidden = rng.normal(size=(width, 5)), rng.normal(size=5)
    logits = rng.normal(size=(5, 3)), rng.normal(size=3)
    head = domains.directions.below(domains.probe, hidden, logits)
    source = domains.reduced[0]
    expected = np.maximum(source @ hidden[0] + hidden[1], 0) @ logits[0] + logits[1]
    np.testing.assert_allclose(head.logits([domains.source]), expected, atol=1e-3)
    assert head.hidden_units == (5,)
    assert head.hidden[0].shape == (WIDTH, 5)


def test_linear_head_of_reduced_features_reads_raw_ones():
    domains, _ = shifted_domains()
    kernel = np.random.default_rng(0).normal(size=(domains.reduced[0].shape[1], 3))
    bias = np.arange(3.0)
    head = domains.directions.linear(domains.probe, kernel, bias)
    expected = domains.reduced[0] @ kernel + bias
    np.testing.assert_allclose(head.logits([domains.source]), expected, atol=1e-3)
