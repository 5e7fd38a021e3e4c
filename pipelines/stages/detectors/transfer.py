"""Ways to take over a detector, each scored beside the same detector fitted anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.features.cells import cells_in
from pipelines.planning.detectors import reads_series, transfer_name, ways_of
from pipelines.probing.cells import MapDetector
from pipelines.probing.detector import Detector, fit_detector
from pipelines.problems.anomalies.autoencoder import (
    AutoencoderDetector,
    with_autoencoder,
)
from pipelines.problems.anomalies.moving import SourceDetector, moved

Vectors = Mapping[tuple[str, int], np.ndarray]


def transfer_scores(
    source: SourceDetector,
    known: Vectors,
    new: Vectors,
    reads: Sequence[tuple[str, int]],
    *,
    known_series: np.ndarray | None,
    new_series: np.ndarray | None,
) -> dict[str, np.ndarray]:
    """Scores `[n]` of new examples by the name of each candidate, all finite.

    `known` are the normal examples of the target that a candidate may learn from. A
    detector in closed form that is fitted anew is among those of the data already.
    """
    own = fit_detector([known[key] for key in reads])
    parts = [new[key] for key in reads]
    candidates: dict[str, Detector] = {}
    if reads_series(source.method) and known_series is not None:
        anew = own.of_method(source.method)
        candidates[source.method] = with_autoencoder(anew, known_series)
    cells, new_cells = cells_in(known), cells_in(new)
    for way in ways_of(source.method):
        candidates[transfer_name(way)] = moved(
            source,
            way,
            own,
            series=known_series,
            cells=None if cells is None else cells[0],
        )
    scores = {
        name: _scores(detector, parts, new_cells and new_cells[0], new_series)
        for name, detector in candidates.items()
    }
    # A source of another size may overflow on these data: then it says nothing of them.
    return {
        name: values if np.isfinite(values).all() else np.zeros_like(values)
        for name, values in scores.items()
    }


def _scores(
    detector: Detector,
    parts: Sequence[np.ndarray],
    cells: np.ndarray | None,
    series: np.ndarray | None,
) -> np.ndarray:
    if isinstance(detector, AutoencoderDetector) and series is not None:
        return detector.scores_of_series(series)
    if isinstance(detector, MapDetector) and cells is not None:
        return detector.scores_of_cells(parts, cells)
    return detector.scores(parts)
