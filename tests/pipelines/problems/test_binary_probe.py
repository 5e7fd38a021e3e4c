"""Probes for several yes-or-no targets, with one fit of the features."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from pipelines.probing import ridge
from pipelines.problems.binary_probe import (
    probe_of_targets,
    score_targets,
    sharpened,
)
from pipelines.problems.label_reports import mean_average_precision

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(120, 20)).astype(np.float32)
TARGETS = (FEATURES[:, :3] + RNG.normal(size=(120, 3)) * 0.5 > 0.5).astype(np.float32)


@pytest.mark.parametrize("width", [20, 200])
def test_left_out_scores_are_of_other_groups(width):
    features = RNG.normal(size=(60, width)).astype(np.float32)
    groups = np.arange(60) // 2
    fitted = ridge.fit_targets(features, TARGETS[:60], groups=groups)
    centred = features - features.mean(axis=0)
    strength = fitted.penalty * np.square(centred).sum() / 60
    rest = groups != 7
    again = Ridge(alpha=strength).fit(features[rest], TARGETS[:60][rest])
    expected = again.predict(features[~rest])
    np.testing.assert_allclose(fitted.left_out[~rest], expected, atol=2e-3)


@pytest.mark.parametrize("width", [20, 200])
def test_one_penalty_gives_the_fit_of_the_path(width):
    features = RNG.normal(size=(60, width)).astype(np.float32)
    fitted = ridge.fit_targets(features, TARGETS[:60])
    kernel, bias = ridge.solve_targets(features, TARGETS[:60], penalty=fitted.penalty)
    np.testing.assert_allclose(kernel, fitted.kernel, atol=1e-4)
    np.testing.assert_allclose(bias, fitted.bias, atol=1e-4)


def test_the_probe_has_the_score_of_its_targets():
    scored = score_targets(
        [FEATURES],
        TARGETS,
        lambda scores: mean_average_precision(scores, TARGETS),
        groups=None,
        reads=("block",),
        grid=1,
    )
    assert scored.accuracy > 0.7
    assert 0 < scored.standard_error < 0.1
    assert len(scored.intercepts) == 3
    probe = probe_of_targets([FEATURES], TARGETS, scored)
    logits = probe.standardization([FEATURES]) @ probe.kernel + probe.bias
    assert ((logits > 0) == (TARGETS > 0)).mean() > 0.8


def test_scores_become_logits_of_the_right_sharpness():
    scores = RNG.normal(size=(2000, 2))
    logits = scores * 3 + [-1.0, 0.5]
    targets = RNG.random((2000, 2)) < 1 / (1 + np.exp(-logits))
    factor, intercepts = sharpened(scores, targets.astype(np.float32))
    assert factor == pytest.approx(3, rel=0.15)
    np.testing.assert_allclose(intercepts, [-1, 0.5], atol=0.25)
    parted = np.array([[-1.0], [1.0]] * 20)
    factor, _ = sharpened(parted, (parted > 0).astype(np.float32))
    assert 1 < factor < 20
