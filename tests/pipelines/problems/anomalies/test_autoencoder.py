"""Autoencoders learn normal series, and repeat others badly."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipelines.planning.detectors import autoencoder_name
from pipelines.probing.detector import fit_detector
from pipelines.problems.anomalies.autoencoder import with_autoencoder

RNG = np.random.default_rng(0)
PLACE = np.linspace(0, 4 * np.pi, 48)


def drawn(count):
    values = RNG.uniform(0.5, 1.5, (count, 1)) * np.sin(PLACE + RNG.normal(0, 0.3))
    return (50 + 9 * values + RNG.normal(0, 0.3, values.shape))[..., None]


NORMAL, NEW = drawn(40), drawn(30)
STRANGE = NEW.copy()
STRANGE[:, 20:26] = STRANGE[:, 20:21] + 9


def detector_of(series, network="dense", regularizer="none"):
    method = autoencoder_name(network, regularizer)
    averages = series.mean(axis=1).astype(np.float32)
    return with_autoencoder(fit_detector([averages]).of_method(method), series)


def wrong(detector, series):
    x = ((series - detector.mean) / detector.scale).astype(np.float32)
    return np.square(np.asarray(detector.network(x)) - x).mean(axis=2) / detector.usual


@pytest.mark.parametrize(
    ("network", "regularizer"),
    [
        ("dense", "denoising"),
        ("dense", "sparse"),
        ("dense", "contractive"),
        ("dense", "variational"),
        ("convolutional", "none"),
        ("recurrent", "none"),
    ],
)
def test_every_kind_finds_what_it_never_saw(network, regularizer):
    detector = detector_of(NORMAL, network, regularizer)
    scores = np.concatenate([wrong(detector, s).max(axis=1) for s in (NEW, STRANGE)])
    assert roc_auc_score(np.arange(60) >= 30, scores) > 0.9
    assert not detector.network.trainable_variables
    if network == "dense":
        places = wrong(detector, STRANGE).argmax(axis=1)
        assert np.mean((places >= 18) & (places <= 28)) > 0.8


@pytest.mark.parametrize("count", [1, 3])
def test_a_few_series_train_without_holding_out(count):
    assert np.isfinite(wrong(detector_of(NORMAL[:count]), NEW)).all()


def test_the_same_series_train_the_same_network():
    first, second = detector_of(NORMAL[:20]), detector_of(NORMAL[:20])
    for weights, others in zip(
        first.network.get_weights(), second.network.get_weights(), strict=True
    ):
        np.testing.assert_allclose(weights, others, atol=1e-5)
