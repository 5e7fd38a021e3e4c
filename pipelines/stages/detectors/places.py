"""The places that detectors look at: cells of images, and steps of series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from pipelines.config import RunConfig
from pipelines.data.splits import Series, Split
from pipelines.errors import ConfigError
from pipelines.features.cells import CELLS, cells_in, cells_of, grid_of
from pipelines.planning.detectors import (
    AUTO,
    AUTOENCODER,
    MATRIX_PROFILE,
    PATCHCORE,
    WINDOWS,
    reads_series,
)
from pipelines.probing.cells import OF_CELLS, with_cells
from pipelines.probing.detector import Detector
from pipelines.probing.patches import with_patches
from pipelines.probing.profile import with_profile
from pipelines.probing.windows import (
    LONGEST,
    SHORTEST,
    has_windows,
    with_windows,
)
from pipelines.problems.anomalies.autoencoder import with_autoencoder
from pipelines.problems.anomalies.moving import SourceDetector, moved
from pipelines.problems.protocol import Problem
from zoo.builder import Backbone
from zoo.graph.gaps import filled


def cells_read(
    base: Backbone, problem: Problem, config: RunConfig
) -> dict[tuple[str, int], keras.KerasTensor]:
    """Cells of middle blocks, where a detector may look at places."""
    method = problem.detector(config, base.spec.modality)
    if method not in (AUTO, *OF_CELLS):
        return {}
    cells = cells_of(base)
    if cells is None and method != AUTO:
        raise ConfigError(
            f"config.anomaly.method is {method!r}, which looks at places of maps, and"
            f" the backbone '{base.spec.name}' gives no square maps. Use method='auto',"
            " or an image backbone of convolutions."
        )
    return {} if cells is None else {(CELLS, grid_of(cells)): cells}


def series_read(
    base: Backbone,
    some: Split,
    problem: Problem,
    config: RunConfig,
    source: SourceDetector | None = None,
) -> np.ndarray | None:
    """The series themselves, filled, where a detector looks at their steps."""
    method = problem.detector(config, base.spec.modality)
    if not reads_series(source.method if source else method):
        return None
    inputs = some.inputs
    if isinstance(inputs, Series) and has_windows(inputs.values.shape[1]):
        return np.asarray(filled(inputs.values))
    fields = {"method": config.anomaly.method, "transfer": config.anomaly.transfer}
    field = "method" if source is None else "transfer"
    raise ConfigError(
        f"config.anomaly.{field} is '{fields[field]}', which looks at series of"
        f" {SHORTEST} to {LONGEST} steps. Here is something else: {base.spec.modality}"
        f" {base.model.input.shape[1:]}. Use method='auto' without transfer."
    )


def with_places(
    detector: Detector,
    parts: Sequence[np.ndarray],
    vectors: Mapping[tuple[str, int], np.ndarray],
    series: np.ndarray | None,
    *,
    source: SourceDetector | None = None,
    way: str = "",
) -> Detector:
    """The detector with what is normal at places, if its method looks at them.

    `parts`, `vectors` and `series` have a row for each example that it was fitted to,
    or left out. With a `way`, what is normal is known from a `source`.
    """
    cells = cells_in(vectors)
    if source is not None and way:
        own_cells = None if cells is None else cells[0]
        return moved(source, way, detector, series=series, cells=own_cells)
    if detector.method == WINDOWS and series is not None:
        return with_windows(detector, series)
    if detector.method == MATRIX_PROFILE and series is not None:
        return with_profile(detector, series)
    if detector.method.startswith(AUTOENCODER) and series is not None:
        return with_autoencoder(detector, series)
    if detector.method not in OF_CELLS or cells is None:
        return detector
    if detector.method == PATCHCORE:
        return with_patches(detector, *cells)
    return with_cells(detector, parts, *cells)
