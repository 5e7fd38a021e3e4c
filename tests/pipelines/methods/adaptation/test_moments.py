"""Moments of both domains are made alike, in exact numbers."""

import numpy as np

from pipelines.methods.adaptation.moments import coral, coral_map, standardise
from tests.pipelines.methods.adaptation.gaussians import (
    SETTINGS,
    right,
    shifted_domains,
)


def test_coral_map_gives_the_covariance_of_target():
    rng = np.random.default_rng(0)
    source = rng.normal(size=(500, 4)) @ np.diag([1.0, 2.0, 0.5, 1.0])
    target = rng.normal(size=(500, 4)) @ (np.eye(4) + 0.5)
    c_s, c_t = np.cov(source.T), np.cov(target.T)
    a = coral_map(c_s, c_t)
    np.testing.assert_allclose(a.T @ (c_s + np.eye(4)) @ a, c_t + np.eye(4), atol=1e-8)
    assert np.abs(c_s - c_t).max() > 0.5


def test_coral_map_of_equal_covariances_is_identity():
    c = np.array([[2.0, 0.3], [0.3, 1.0]])
    np.testing.assert_allclose(coral_map(c, c), np.eye(2), atol=1e-10)


def test_standardise_gives_target_the_source_moments():
    domains, _ = shifted_domains()
    adapted = standardise(domains, SETTINGS)
    here = adapted.head.standardization([domains.target])
    there = adapted.for_source.standardization([domains.source])
    np.testing.assert_allclose(here.mean(axis=0), there.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(here.std(axis=0), there.std(axis=0), rtol=2e-3)


def test_moments_beat_the_source_head_on_shift():
    domains, truth = shifted_domains()
    before = right(domains.probe, domains.target, truth)
    for method in (standardise, coral):
        adapted = method(domains, SETTINGS)
        assert right(adapted.head, domains.target, truth) > before + 0.2
        kept = right(adapted.for_source, domains.validation, domains.validation_labels)
        assert kept > 0.85


def test_moved_source_is_answered_as_the_source():
    domains, _ = shifted_domains()
    adapted = standardise(domains, SETTINGS)
    moved = adapted.moved(domains.validation)
    np.testing.assert_allclose(
        adapted.head.logits([moved]),
        adapted.for_source.logits([domains.validation]),
        atol=1e-3,
    )
