"""The proxy A-distance."""

import numpy as np

from pipelines.methods.adaptation.distance import a_distance
from tests.pipelines.methods.adaptation.gaussians import drawn, shifted


def test_a_distance_of_one_domain_is_near_zero():
    assert a_distance(drawn(400, seed=1)[0], drawn(400, seed=2)[0]) < 0.25


def test_a_distance_of_far_domains_is_two():
    source, target = drawn(200, seed=1)[0], drawn(300, seed=2)[0]
    assert a_distance(source, target + 20) > 1.9
    assert 0.5 < a_distance(source, shifted(target)) <= 2


def test_a_distance_does_not_depend_on_sizes():
    source = drawn(200, seed=1)[0]
    few = a_distance(source, drawn(40, seed=2)[0])
    assert few < 0.6
    assert np.isfinite(few)
