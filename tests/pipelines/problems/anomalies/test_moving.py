"""A detector of a source answers for other data, in each way that it can."""

import numpy as np
import pytest

from pipelines.formats import detector_file
from pipelines.planning.detectors import WAYS
from pipelines.probing.cells import with_cells
from pipelines.probing.detector import fit_detector
from pipelines.problems.anomalies.moving import moved
from tests.support.detectors import autoencoder_of, publish

RNG = np.random.default_rng(0)
CELLS = RNG.normal(size=(40, 9, 4)).astype(np.float32) + np.arange(4)
OTHER = 3 * RNG.normal(size=(30, 9, 4)).astype(np.float32) + 20


def read(detector, folder):
    return detector_file.read(publish(detector, folder / "1"))


@pytest.fixture(scope="module")
def repeating(tmp_path_factory):
    """A detector of waves that is read from its file."""
    series = RNG.normal(size=(30, 20, 1)).cumsum(axis=1)
    return read(autoencoder_of(series), tmp_path_factory.mktemp("waves"))


def test_ways_differ_by_what_the_target_says(repeating):
    series = 40 + 9 * RNG.normal(size=(20, 20, 1)).cumsum(axis=1)
    own = fit_detector([series.mean(axis=1).astype(np.float32)])
    made = {way: moved(repeating, way, own, series=series) for way in WAYS}
    layer = repeating.layer
    for way, detector in made.items():
        assert detector.method == repeating.method
        own_scale = way != "threshold"
        assert np.allclose(detector.mean, layer.mean, rtol=1e-5) != own_scale
        assert np.allclose(detector.scale, layer.scale, rtol=1e-5) != own_scale
        own_errors = way in ("statistics", "fine_tuned")
        assert np.allclose(detector.usual, layer.usual, rtol=1e-5) != own_errors
        same = [
            np.array_equal(a, b)
            for a, b in zip(
                detector.network.get_weights(), layer.network.get_weights(), strict=True
            )
        ]
        assert all(same) == (way != "fine_tuned")
        assert detector.scores_of_series(series).shape == (20,)


def test_errors_of_another_length_are_interpolated(tmp_path):
    method = "autoencoder:convolutional:none"
    series = RNG.normal(size=(10, 24, 1)).cumsum(axis=1)
    source = read(autoencoder_of(series, method), tmp_path)
    longer = RNG.normal(size=(10, 47, 1)).cumsum(axis=1)
    own = fit_detector([longer.mean(axis=1).astype(np.float32)])
    detector = moved(source, "as_is", own, series=longer)
    np.testing.assert_allclose(detector.usual[::2], source.layer.usual, rtol=1e-5)
    assert np.isfinite(detector.scores_of_series(longer)).all()


@pytest.mark.parametrize("method", ["pca", "dfm", "nearest", "padim", "sum"])
def test_closed_forms_answer_as_their_source(method, tmp_path):
    averages, others = CELLS.mean(axis=1), OTHER.mean(axis=1)
    known = fit_detector([averages]).of_method(method)
    flat, other_flat = (x.reshape(len(x), -1) for x in (CELLS, OTHER))
    has_cells = method in ("padim", "sum")
    if has_cells:
        known = with_cells(known, [averages], flat, 4)
    source, own = read(known, tmp_path), fit_detector([others])

    def scores(detector, parts, cells):
        if has_cells:
            return detector.scores_of_cells([parts], cells)
        return detector.scores([parts])

    same = moved(source, "threshold", own, cells=other_flat)
    expected = scores(known, averages, flat)
    np.testing.assert_allclose(scores(same, averages, flat), expected, rtol=1e-3)
    centered = moved(source, "as_is", own, cells=other_flat)
    far = scores(same, others, other_flat).mean()
    assert scores(centered, others, other_flat).mean() < far / 2
