"""Blocks train for every kind of problem, and a guarded phase proves itself."""

import dataclasses

import numpy as np
import pytest

from pipelines.data.load import check_and_split, read
from pipelines.data.reference import DatasetRef
from pipelines.problems.registry import problem_of
from pipelines.training.class_weighting import keeps_labels_mirrored
from tests.support.tiny_stages import tiny_config, train_stages

RNG = np.random.default_rng(0)
BRIGHT = RNG.random((120, 3))
PIXELS = np.repeat(np.repeat(BRIGHT[:, None, :] * 200, 9, axis=1), 3, axis=2)
PIXELS = (PIXELS + RNG.integers(0, 40, PIXELS.shape)).astype(np.uint8)
LABELS = {
    "multi_label": (BRIGHT > 0.5).astype(np.int64),
    "regression": BRIGHT.astype(np.float32),
    "ordinal": np.digitize(BRIGHT.sum(axis=1), [1.2, 1.8]),
}


@pytest.mark.parametrize("name", LABELS)
def test_blocks_train_under_the_guard(tmp_path, name):
    path = tmp_path / "data.npz"
    np.savez(path, x=PIXELS, y=LABELS[name])
    ref = DatasetRef.parse(f"npz:{path}")
    splits = check_and_split(read(ref, name), ref)
    config = tiny_config(strategy="partial")

    def guarded(plan):
        phases = [dataclasses.replace(p, only_if_better=True) for p in plan.phases]
        return dataclasses.replace(plan, phases=tuple(phases))

    model, history = train_stages(tmp_path, splits, config, edit=guarded)
    head, blocks = history.phases
    assert head.solved
    assert 0.3 < head.accuracy_after <= 1
    assert blocks.accuracy_after >= head.accuracy_after - 1e-6 or blocks.kept
    assert blocks.gain_standard_error > 0
    problem = problem_of(splits)
    assert problem.epoch_metric in blocks.epochs[0]
    pixels = splits.validation.inputs.pixels
    import tensorflow as tf

    from pipelines.data.images.decode import resize

    labels = splits.validation.labels
    batch = tf.data.Dataset.from_tensors((resize(tf.constant(pixels), 16), labels))
    # Left and right are different labels, and the same sum.
    kept = keeps_labels_mirrored(model.model, batch, labels, problem)
    assert kept == (name == "ordinal")


def test_rare_labels_are_learned_with_weights(tmp_path):
    labels = (BRIGHT > [0.5, 0.5, 0.85]).astype(np.int64)
    np.savez(tmp_path / "data.npz", x=PIXELS, y=labels)
    ref = DatasetRef.parse(f"npz:{tmp_path / 'data.npz'}")
    splits = check_and_split(read(ref, "multi_label"), ref)

    def balanced(plan):
        return dataclasses.replace(plan, imbalance="weights")

    config = tiny_config(strategy="head_only", imbalance="weights")
    problem = problem_of(splits)
    problem.check_config(config)
    assert problem.imbalance("weights", labels) == "weights"
    _, history = train_stages(tmp_path, splits, config, edit=balanced)
    (head,) = history.phases
    assert head.imbalance == "weights"
    assert head.accuracy_after > labels.mean() + 0.1
