"""The layer of an autoencoder gives its scores by step, and saves."""

import keras
import numpy as np
import pytest

from pipelines.planning.detectors import autoencoder_name
from pipelines.probing.detector import fit_detector
from pipelines.problems.anomalies.autoencoder import (
    AutoencoderDetector,
    with_autoencoder,
)
from pipelines.problems.anomalies.reconstruction_layer import reconstruction_layer

RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(20, 30, 2)).cumsum(axis=1).astype(np.float32) + 5
AVERAGES = SERIES.mean(axis=1)


@pytest.mark.parametrize("network", ["dense", "recurrent"])
def test_the_layer_gives_steps_and_saves(network, tmp_path):
    method = autoencoder_name(network, "none")
    detector = with_autoencoder(fit_detector([AVERAGES]).of_method(method), SERIES)
    features, series = keras.Input((2,)), keras.Input((30, 2))
    layer = reconstruction_layer(detector)
    model = keras.Model([features, series], layer([features, series]))
    given = np.asarray(model([AVERAGES, SERIES]))
    x = ((SERIES - detector.mean) / detector.scale).astype(np.float32)
    squares = np.square(np.asarray(detector.network(x)) - x).mean(axis=2)
    np.testing.assert_allclose(
        given[:, 1:] ** 2, squares / detector.usual, rtol=1e-2, atol=1e-4
    )
    power = np.power(given[:, 1:].astype(np.float64), 4).mean(axis=1)
    np.testing.assert_allclose(given[:, 0] ** 4, power, rtol=1e-3)
    assert model.output_shape == (None, 31)
    assert not model.trainable_variables
    model.save(tmp_path / "detector.keras")
    again = keras.models.load_model(tmp_path / "detector.keras")
    np.testing.assert_allclose(again([AVERAGES, SERIES]), given, rtol=1e-5)


def test_a_detector_without_network_has_no_layer():
    with pytest.raises(ValueError, match="trained first"):
        reconstruction_layer(AutoencoderDetector(**vars(fit_detector([AVERAGES]))))
