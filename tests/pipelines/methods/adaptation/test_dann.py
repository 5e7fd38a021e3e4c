"""Gradient reversal: a real layer that saves and exports, and hides the domain."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.methods.adaptation.apply import measured
from pipelines.methods.adaptation.dann import GradientReversal, dann, strength_at
from pipelines.methods.adaptation.domains import Settings
from tests.pipelines.methods.adaptation.gaussians import (
    SETTINGS,
    domains,
    drawn,
    right,
    shifted_domains,
)


def test_reversal_multiplies_gradients_by_minus_strength():
    layer, x = GradientReversal(0.5), tf.constant([[1.0, -2.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        loss = tf.reduce_sum(3.0 * y)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_allclose(tape.gradient(loss, x), [[-1.5, -1.5]])
    layer.strength.assign(0.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x))
    np.testing.assert_allclose(tape.gradient(loss, x), [[0.0, 0.0]])


def test_reversal_saves_and_exports(tmp_path):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1)(GradientReversal(0.3)(inputs)))
    model.save(tmp_path / "model.keras")
    x = np.array([[1.0, 2.0]], np.float32)
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(x), model(x))
    assert float(again.layers[1].strength) == pytest.approx(0.3)
    model.export(tmp_path / "saved", verbose=False)
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(saved.serve(x), model(x), rtol=1e-6)


def test_strength_rises_from_zero_to_one():
    assert strength_at(0.0) == 0.0
    assert strength_at(1.0) == pytest.approx(1.0, abs=1e-3)


def _of_other_correlations():
    """Domains of equal moments by feature, whose last features go together or apart."""
    source, labels = drawn(800, seed=1)
    target, _ = drawn(600, seed=2)
    rng = np.random.default_rng(3)
    together, apart = np.ones(5), np.array([1, -1, 1, -1, 1])
    for rows, signs in ((source, together), (target, apart)):
        rows[:, 3:] = rng.normal(size=(len(rows), 1)) * signs
        rows[:, 3:] += 0.1 * rng.normal(size=(len(rows), 5))
    return domains(source, labels, target)


def test_reversal_hides_the_domain_from_a_classifier():
    both = _of_other_correlations()
    settings = Settings(units=8, discriminator_units=256)
    apart = measured(both, dann(both, settings, reverses=False)).distance
    hidden = measured(both, dann(both, settings)).distance
    assert apart > 1
    assert hidden < 0.4


def test_dann_beats_the_source_head_on_shift():
    both, truth = shifted_domains()
    adapted = dann(both, SETTINGS)
    before = right(both.probe, both.target, truth)
    assert right(adapted.head, both.target, truth) > before + 0.2
