"""Detectors that another source knows, as detectors for the data at hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np

from pipelines.planning.detectors import AS_IS, FINE_TUNED, THRESHOLD
from pipelines.probing.cells import CellGaussians, MapDetector
from pipelines.probing.detector import Detector
from pipelines.probing.probe import Standardization
from pipelines.problems.anomalies.autoencoder import (
    AutoencoderDetector,
    kept_series,
    made_of,
    moments,
    usual_errors,
)
from pipelines.problems.anomalies.fitting import fine_tuned, for_length, held_out_of
from pipelines.problems.anomalies.map_layer import AnomalyMap
from pipelines.problems.anomalies.reconstruction_layer import ReconstructionScores
from pipelines.problems.anomalies.score_layer import AnomalyScore


@dataclasses.dataclass(frozen=True, eq=False)
class SourceDetector:
    """A detector of another run.

    `place` is where it was read from, `digest` the sha256 of its file, `backbone` that
    of the weights whose features it reads, and `reads` and `grid` say which. `layer` is
    the last layer of its head, with its numbers.
    """

    place: str
    digest: str
    method: str
    reads: tuple[str, ...]
    grid: int
    backbone: str
    standardization: Standardization
    layer: keras.layers.Layer

    @property
    def takes(self) -> tuple[int, int]:
        """Length and channels of the series that an autoencoder was trained on."""
        _, length, channels = self.layer.network.input.shape
        return length, channels


def moved(
    source: SourceDetector,
    way: str,
    own: Detector,
    *,
    series: np.ndarray | None = None,
    cells: np.ndarray | None = None,
) -> Detector:
    """The detector of a source, taken over in a way of `WAYS`.

    `own` is the detector in closed form of the data at hand, and `series` or `cells`
    have a row for each example that it was fitted to, or left out.
    """
    if isinstance(source.layer, ReconstructionScores) and series is not None:
        return _moved_autoencoder(source, way, own, series)
    known = _closed_form(source, own)
    if way == THRESHOLD:
        return known
    known = dataclasses.replace(known, standardization=own.standardization)
    if isinstance(known, MapDetector) and known.cells and cells is not None:
        kept = np.setdiff1d(np.arange(len(cells)), own.left_out)
        mean = cells[kept].mean(axis=0, dtype=np.float64)
        mean = mean.reshape(known.cells.mean.shape).astype(np.float32)
        centered = dataclasses.replace(known.cells, mean=mean)
        known = dataclasses.replace(known, cells=centered)
    return known


def _moved_autoencoder(
    source: SourceDetector, way: str, own: Detector, series: np.ndarray
) -> AutoencoderDetector:
    layer, length = source.layer, series.shape[1]
    network = for_length(layer.network, source.method, length)
    mean, scale, usual = (np.float64(w) for w in (layer.mean, layer.scale, layer.usual))
    if len(usual) != length:
        places = np.linspace(0, len(usual) - 1, length)
        usual = np.interp(places, np.arange(len(usual)), usual)
    own = own.of_method(source.method)
    if way == THRESHOLD:
        return made_of(own, network, mean, scale, usual)
    values = kept_series(own, series)
    mean, scale = moments(values)
    if way == AS_IS:
        return made_of(own, network, mean, scale, usual)
    x = ((values - mean) / scale).astype(np.float32)
    new = x
    if way == FINE_TUNED:
        is_held_out = held_out_of(len(x))
        fitted, held_out = x[~is_held_out], x[is_held_out]
        regularizer = source.method.split(":")[2]
        network = fine_tuned(network, regularizer, fitted, held_out, seed=0)
        new = held_out if len(held_out) else fitted
    return made_of(own, network, mean, scale, usual_errors(network, new))


def _closed_form(source: SourceDetector, own: Detector) -> Detector:
    """The numbers of the layers of a source, as a detector."""
    layer = source.layer
    whole = layer.whole if isinstance(layer, AnomalyMap) else layer
    values = _numbers(whole, own)
    known = Detector(
        source.standardization,
        bias=np.zeros(values["kernel"].shape[1], np.float32),
        left_out=np.zeros(0, int),
        method=source.method,
        **values,
    )
    if not isinstance(layer, AnomalyMap):
        return known
    fields = dataclasses.fields(Detector)
    cells = CellGaussians(np.asarray(layer.mean), np.asarray(layer.whitening))
    return MapDetector(
        **{field.name: getattr(known, field.name) for field in fields},
        cells=cells,
        units=(layer.units[0], layer.units[1]),
    )


def _numbers(layer: AnomalyScore | None, own: Detector) -> dict[str, Any]:
    """Directions and variances; where only cells count, those of the data at hand."""
    if layer is None:
        names = ("kernel", "variances", "outside_variance", "neighbours")
        return {name: getattr(own, name) for name in names}
    variances = 1 / np.asarray(layer.precision, np.float64)
    kernel = np.asarray(layer.axes)
    places = layer.places if layer.neighbours else np.zeros((1, kernel.shape[1]))
    return {
        "kernel": kernel,
        "variances": variances[:-1],
        "outside_variance": float(variances[-1]),
        "neighbours": np.asarray(places),
    }
