"""Adapted heads as plain arrays."""

import numpy as np

from pipelines.methods.adaptation.head import AdaptedHead, unchanged
from pipelines.probing.probe import Standardization
from tests.pipelines.methods.adaptation.gaussians import shifted_domains


def test_unchanged_answers_as_the_source_head():
    domains, _ = shifted_domains()
    adapted = unchanged(domains.probe)
    expected = domains.probe.logits([domains.target])
    np.testing.assert_array_equal(adapted.head.logits([domains.target]), expected)
    moved = adapted.moved(domains.target)
    np.testing.assert_allclose(moved, domains.target, atol=1e-4)


def test_hidden_layer_has_relu_units():
    plain = Standardization(np.zeros(2, np.float32), np.ones(2, np.float32))
    hidden = (np.array([[1.0, -1.0], [0.0, 0.0]]), np.zeros(2))
    head = AdaptedHead(plain, np.array([[1.0], [10.0]]), np.zeros(1), hidden)
    rows = np.array([[2.0, 5.0], [-3.0, 5.0]], np.float32)
    np.testing.assert_allclose(head.logits([rows]), [[2.0], [30.0]])
    assert head.hidden_units == (2,)
