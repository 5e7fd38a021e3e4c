"""Batches, rates and the head of the trained bottleneck."""

import dataclasses

import numpy as np
import pytest

from pipelines.methods.adaptation.bottleneck import begun, drawn, rate
from tests.pipelines.methods.adaptation.gaussians import SETTINGS, shifted_domains


def test_rate_falls_as_published():
    assert rate(0.0) == pytest.approx(0.01)
    assert rate(1.0) == pytest.approx(0.01 / 11**0.75)


def test_drawn_batches_follow_the_seed():
    domains, _ = shifted_domains()
    first, second = (next(iter(drawn(domains, SETTINGS))) for _ in range(2))
    assert [len(part) for part in first[1:]] == [32, 32, 32]
    for a, b in zip(first[1:], second[1:]):
        np.testing.assert_array_equal(a, b)


def test_drawn_batches_hold_labelled_target_rows():
    domains, truth = shifted_domains()
    labelled = dataclasses.replace(
        domains, labelled=domains.target[:60], labelled_labels=truth[:60]
    )
    _, xs, ys, xt = next(iter(drawn(labelled, SETTINGS)))
    assert (len(xs), len(ys), len(xt)) == (48, 48, 32)
    known = {tuple(row) for row in labelled.reduced_labelled.tolist()}
    assert all(tuple(row) in known for row in xs[32:].numpy().tolist())


def test_head_answers_as_the_network():
    domains, _ = shifted_domains()
    network = begun(domains, SETTINGS)
    expected = np.asarray(network.answers(domains.reduced[0]))
    head = network.head(domains)
    np.testing.assert_allclose(head.logits([domains.source]), expected, atol=1e-3)
