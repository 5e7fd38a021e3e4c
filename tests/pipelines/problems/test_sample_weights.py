"""Weights of examples count the same way for every kind of problem."""

import dataclasses

import numpy as np
import pytest

from pipelines.data.load import check_and_split, read
from pipelines.data.reference import DatasetRef
from pipelines.problems.protocol import Outputs
from pipelines.problems.registry import NAMES, make, problem_of
from tests.support.tiny_stages import tiny_config, train_stages

RNG = np.random.default_rng(0)
COUNT = 90
BRIGHT = RNG.random((COUNT, 3))
LABELS = {
    "single_label": BRIGHT.argmax(axis=1),
    "ordinal": np.digitize(BRIGHT.sum(axis=1), [1.2, 1.8]),
    "multi_label": (BRIGHT > 0.5).astype(np.float32),
    "regression": BRIGHT.astype(np.float32),
}
CLASSES = ("red", "green", "blue")
WEIGHTS = RNG.integers(0, 4, COUNT).astype(np.float32)
PARTS = [np.concatenate([BRIGHT, RNG.normal(size=(COUNT, 5))], axis=1)]
COUNTS = ("examples", "calibration_error", "confusion", "per_class", "per_label")


def test_every_kind_of_problem_is_here():
    # Normal examples count the same: weights are refused where data are read.
    assert {*LABELS, "anomaly"} == set(NAMES)


@pytest.mark.parametrize("name", LABELS)
def test_probe_ignores_rows_of_weight_zero(name):
    labels, problem = LABELS[name], make(name, CLASSES, LABELS[name])
    wrong = np.where((WEIGHTS == 0).reshape(-1, *[1] * (labels.ndim - 1)), 1, labels)
    wrong = wrong.astype(labels.dtype)
    rows = np.flatnonzero(WEIGHTS > 0)
    some = [part[rows] for part in PARTS]

    def fit(parts, labels, weights):
        scored = problem.score(
            parts, labels, groups=None, reads=("a",), grid=1, weights=weights
        )
        return scored, problem.linear_probe(parts, labels, scored, weights=weights)

    scored, probe = fit(PARTS, wrong, WEIGHTS)
    alone, expected = fit(some, labels[rows], 7 * WEIGHTS[rows])
    unweighted, other = fit(PARTS, wrong, None)
    assert scored.accuracy == pytest.approx(alone.accuracy)
    assert scored.penalty == alone.penalty
    np.testing.assert_allclose(probe.kernel, expected.kernel, atol=1e-3)
    np.testing.assert_allclose(probe.bias, expected.bias, atol=1e-3)
    assert np.abs(probe.kernel - other.kernel).max() > 1e-2
    assert unweighted.accuracy < scored.accuracy


def _outputs(name, rows, weights=None):
    labels, problem = LABELS[name][rows], make(name, CLASSES, LABELS[name])
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(COUNT, 3))[rows]
    right = 4 * BRIGHT[rows] if labels.ndim == 2 else 2 * np.eye(3)[labels]
    logits = (right + noise).astype(np.float32)
    return problem, Outputs("test", labels, logits, logits, weights)


@pytest.mark.parametrize("name", LABELS)
def test_whole_weights_report_as_repeated_rows(name):
    problem, outputs = _outputs(name, np.arange(COUNT), WEIGHTS)
    repeated = np.repeat(np.arange(COUNT), WEIGHTS.astype(int))
    _, many = _outputs(name, repeated)
    none = tiny_config().calibration
    none.method = "none"
    calibration = problem.calibrate(many, many.features, many.labels, calibration=none)
    weighted, plain = (
        dataclasses.asdict(problem.evaluate(calibration, of)) for of in (outputs, many)
    )
    compared = [key for key in plain if key not in (*COUNTS, "split", "confusion_form")]
    compared = [key for key in compared if not key.startswith("per_")]
    assert len(compared) >= 3
    for key in compared:
        assert weighted[key] == pytest.approx(plain[key], abs=1e-6), key
    unweighted = dataclasses.asdict(
        problem.evaluate(calibration, dataclasses.replace(outputs, weights=None))
    )
    assert any(abs(unweighted[key] - plain[key]) > 1e-3 for key in compared)
    assert weighted["examples"] == COUNT


@pytest.mark.parametrize("name", LABELS)
def test_calibration_is_of_the_examples_that_count(name):
    few = np.where(np.arange(COUNT) % 2, 1.0, 1e-4).astype(np.float32)
    problem, outputs = _outputs(name, np.arange(COUNT), few / few.mean())
    _, half = _outputs(name, np.arange(1, COUNT, 2))
    # The examples that hardly count are answered at random, and far too surely.
    logits = outputs.logits.copy()
    logits[::2] = 30 * np.random.default_rng(2).normal(size=logits[::2].shape)
    outputs = dataclasses.replace(outputs, logits=logits)
    config = tiny_config().calibration
    config.method = "temperature" if name != "regression" else "auto"
    fits = [
        problem.manifest(
            problem.calibrate(of, half.features, half.labels, calibration=config)
        )
        for of in (outputs, half, dataclasses.replace(outputs, weights=None))
    ]

    def number(manifest):
        if name == "regression":
            return manifest["calibration"]["intervals"][0]["half_widths"][0]
        return manifest["temperature"]

    weighted, expected, unweighted = map(number, fits)
    assert weighted == pytest.approx(expected, rel=0.1)
    assert abs(unweighted - expected) > 0.2 * expected


@pytest.mark.parametrize("name", LABELS)
def test_training_counts_weights_and_validates_with_them(tmp_path, name):
    pixels = np.repeat(np.repeat(BRIGHT[:, None, :] * 200, 9, axis=1), 3, axis=2)
    pixels = (pixels + RNG.integers(0, 40, pixels.shape)).astype(np.uint8)
    trained = []
    for factor in (1, 50):
        weights = np.where(np.arange(COUNT) % 2, 1, factor)
        path = tmp_path / f"{factor}.npz"
        y = LABELS[name]
        np.savez(path, x=pixels, y=y, sample_weight=weights)
        ref = DatasetRef.parse(f"npz:{path}")
        splits = check_and_split(read(ref, name), ref)
        config = tiny_config(strategy="partial")
        config.head.epochs = config.finetune.epochs = config.head.grid = 1
        config.head.reads = "last"
        folder = tmp_path / f"run{factor}"
        folder.mkdir()
        trained.append(train_stages(folder, splits, config))
    (model, history), (other, _) = trained
    pairs = zip(model.model.get_weights(), other.model.get_weights(), strict=True)
    assert max(np.abs(a - b).max() for a, b in pairs) > 1e-4
    assert problem_of(splits).epoch_metric in history.phases[-1].epochs[0]
    assert all(np.isfinite(epoch["val_loss"]) for epoch in history.phases[-1].epochs)
