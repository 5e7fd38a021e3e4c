"""Every way to take a detector over is scored beside a new one."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipelines.formats import detector_file
from pipelines.probing.cells import with_cells
from pipelines.probing.detector import fit_detector
from pipelines.stages.detectors.transfer import transfer_scores
from tests.support.detectors import autoencoder_of, publish

RNG = np.random.default_rng(0)
PLACE = np.linspace(0, 4 * np.pi, 40)


def waves(count):
    phases = RNG.uniform(0, 2 * np.pi, (count, 1))
    return np.sin(PLACE + phases)[..., None] + RNG.normal(0, 0.05, (count, 40, 1))


def test_series_are_scored_in_four_ways_and_anew(tmp_path):
    place = publish(autoencoder_of(waves(80)), tmp_path / "1")
    target, new = 50 + 9 * waves(10), 50 + 9 * waves(40)
    new[20:, 10:16] += 9
    averages = [{("block", 1): x.mean(axis=1)} for x in (target, new)]
    scores = transfer_scores(
        detector_file.read(place),
        *averages,
        [("block", 1)],
        known_series=target,
        new_series=new,
    )
    areas = {
        name: roc_auc_score(np.arange(40) >= 20, values)
        for name, values in scores.items()
    }
    assert list(areas) == [
        "autoencoder:dense:none",
        "transfer:as_is",
        "transfer:threshold",
        "transfer:statistics",
        "transfer:fine_tuned",
    ]
    assert areas["transfer:statistics"] > 0.9
    # Far outside of all that it knows: normal ones are as wrong as usual is small.
    usual = {name: np.median(values[:20]) for name, values in scores.items()}
    assert usual["transfer:threshold"] > 10 * usual["transfer:statistics"]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_source_of_tiny_series_says_nothing(tmp_path):
    place = publish(autoencoder_of(1e-6 * waves(20)), tmp_path / "1")
    target = 1e36 * waves(6)
    scores = transfer_scores(
        detector_file.read(place),
        *[{("block", 1): target.mean(axis=1)}] * 2,
        [("block", 1)],
        known_series=target,
        new_series=target,
    )
    assert (scores["transfer:threshold"] == 0).all()
    assert (scores["transfer:as_is"] > 0).all()


@pytest.mark.parametrize("method", ["dfm", "padim"])
def test_images_are_scored_in_two_ways(method, tmp_path):
    cells = RNG.normal(size=(60, 9, 4)).astype(np.float32)
    averages, flat = cells.mean(axis=1), cells.reshape(60, -1)
    known = fit_detector([averages[:30]]).of_method(method)
    if method == "padim":
        known = with_cells(known, [averages[:30]], flat[:30], 4)
    source = detector_file.read(publish(known, tmp_path / "1"))
    vectors = [
        {("block", 1): averages[rows], ("cells", 3): flat[rows]}
        for rows in (slice(30, 45), slice(45, 60))
    ]
    reads = [("block", 1)]
    scores = transfer_scores(
        source, *vectors, reads, known_series=None, new_series=None
    )
    assert list(scores) == ["transfer:as_is", "transfer:threshold"]
    assert all(values.shape == (15,) for values in scores.values())
    assert not np.allclose(*scores.values())
