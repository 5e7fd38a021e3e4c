"""Minimum class confusion."""

import numpy as np
import tensorflow as tf

from pipelines.methods.adaptation.mcc import class_confusion, mcc
from tests.pipelines.methods.adaptation.gaussians import (
    SETTINGS,
    right,
    shifted_domains,
)


def test_class_confusion_is_zero_for_sure_answers():
    sure = tf.constant(100 * np.eye(3), tf.float32)
    assert float(class_confusion(sure)) < 1e-6
    unsure = tf.zeros((6, 3))
    np.testing.assert_allclose(float(class_confusion(unsure)), 2 / 3, rtol=1e-4)


def test_mcc_beats_the_source_head_on_shift():
    domains, truth = shifted_domains()
    adapted = mcc(domains, SETTINGS)
    before = right(domains.probe, domains.target, truth)
    assert right(adapted.head, domains.target, truth) > before + 0.2
