"""Autoencoders that learn normal series: what they cannot repeat is strange."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from pipelines.probing.detector import Detector
from pipelines.problems.anomalies.fitting import held_out_of, trained

# The weight of what is usual at a step, beside what is usual anywhere.
_OWN_STEP = 0.5
_TINY = 1e-9


@dataclasses.dataclass(frozen=True, eq=False)
class AutoencoderDetector(Detector):
    """A detector with an autoencoder of series beside the averages of blocks.

    `network` takes and gives standardized series, by `mean` and `scale` `[channels]`.
    `usual` `[length]` is what is usually wrong at a step, squared.
    """

    network: keras.Model | None = None
    mean: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(1))
    scale: np.ndarray = dataclasses.field(default_factory=lambda: np.ones(1))
    usual: np.ndarray = dataclasses.field(default_factory=lambda: np.ones(1))

    def scores_of_series(self, series: np.ndarray) -> np.ndarray:
        """How strange series are, float64 `[n]`: strange steps count most.

        `series` are `[n, length, channels]` without missing values.
        """
        if self.network is None:
            raise ValueError("The autoencoder is trained first.")
        x = ((series - self.mean) / self.scale).astype(np.float32)
        strange = _squares(self.network, x).mean(axis=2) / self.usual
        return np.sqrt(np.sqrt(np.square(strange).mean(axis=1)))


def with_autoencoder(
    detector: Detector, series: np.ndarray, *, seed: int = 0
) -> AutoencoderDetector:
    """The detector with an autoencoder that its method names, trained on `series`.

    `series` `[n, length, channels]` has a row for each example that it was fitted to,
    or left out. A fifth is held out: it ends the training, and says what is usual.
    """
    values = kept_series(detector, series)
    mean, scale = moments(values)
    x = ((values - mean) / scale).astype(np.float32)
    is_held_out = held_out_of(len(x))
    fitted, held_out = x[~is_held_out], x[is_held_out]
    _, network, regularizer = detector.method.split(":")
    made = trained(network, regularizer, fitted, held_out, seed=seed)
    new = held_out if len(held_out) else fitted
    return made_of(detector, made, mean, scale, usual_errors(made, new))


def made_of(
    detector: Detector,
    network: keras.Model,
    mean: np.ndarray,
    scale: np.ndarray,
    usual: np.ndarray,
) -> AutoencoderDetector:
    """The detector with these beside it."""
    fields = dataclasses.fields(Detector)
    values = {field.name: getattr(detector, field.name) for field in fields}
    return AutoencoderDetector(
        **values, network=network, mean=mean, scale=scale, usual=usual
    )


def kept_series(detector: Detector, series: np.ndarray) -> np.ndarray:
    """The series in float64 that a detector did not leave out."""
    kept = np.setdiff1d(np.arange(len(series)), detector.left_out)
    return series[kept].astype(np.float64)


def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each channel of series; a constant one has a tiny one."""
    mean = values.mean(axis=(0, 1))
    scale = np.maximum(values.std(axis=(0, 1)), 1e-6 * np.maximum(abs(mean), 1.0))
    return mean, scale


def usual_errors(network: keras.Model, new: np.ndarray) -> np.ndarray:
    """What is usually wrong at a step, squared, `[length]`, of standardized series."""
    wrong = _squares(network, new).mean(axis=(0, 2))
    return _OWN_STEP * wrong + (1 - _OWN_STEP) * wrong.mean() + _TINY


def _squares(network: keras.Model, x: np.ndarray) -> np.ndarray:
    """The squares of what is wrong, float64 `[n, length, channels]`."""
    return np.square(np.asarray(network(x), np.float64) - x)
