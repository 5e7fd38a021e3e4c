"""SHOT, with a bottleneck of its own and for a linear head."""

import dataclasses

import numpy as np
import tensorflow as tf

from pipelines.methods.adaptation.domains import Settings
from pipelines.methods.adaptation.shot import information, shot, shot_of_head
from tests.pipelines.methods.adaptation.gaussians import (
    SETTINGS,
    right,
    shifted,
    shifted_domains,
)


def test_information_prefers_sure_and_diverse_answers():
    diverse = information(tf.constant(50 * np.eye(3), tf.float32))
    same = information(tf.constant([[50.0, 0.0, 0.0]] * 3))
    unsure = information(tf.zeros((3, 3)))
    np.testing.assert_allclose([same, unsure], 0, atol=1e-5)
    np.testing.assert_allclose(diverse, -np.log(3), rtol=1e-4)


def test_shot_beats_the_source_head_on_shift():
    domains, truth = shifted_domains()
    adapted = shot(domains, SETTINGS)
    before = right(domains.probe, domains.target, truth)
    assert right(adapted.head, domains.target, truth) > before + 0.2


def test_shot_without_steps_keeps_the_head():
    domains, _ = shifted_domains()
    head = shot_of_head(domains.probe, domains.target, Settings(weight=0.0, steps=2))
    np.testing.assert_allclose(
        head.logits([domains.source]), domains.probe.logits([domains.source]), atol=1e-3
    )


def test_shot_of_head_learns_from_target_alone():
    domains, truth = shifted_domains()
    # A shift that leaves most answers right, as sure answers begin from these.
    target = (0.6 * domains.target + 0.4 * (domains.target - shifted(0))).astype("f4")
    before = right(domains.probe, target, truth)
    head = shot_of_head(domains.probe, target, dataclasses.replace(SETTINGS, steps=400))
    assert head.hidden is None
    assert 0.6 < before < right(head, target, truth) - 0.03
