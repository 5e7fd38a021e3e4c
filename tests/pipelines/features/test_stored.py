"""Activations in memory, streamed, or on disk: training gives the same."""

import dataclasses

import keras
import numpy as np
import pytest

from pipelines.config import AugmentConfig
from pipelines.data.splits import first
from pipelines.features import stored
from pipelines.features.activation_cache import ActivationCache
from pipelines.planning.policy import TrainingFacts, decide
from pipelines.stages.base import freeze_base
from pipelines.stages.finetune import fine_tune
from pipelines.stages.head import add_head
from pipelines.stages.obtain import obtain
from pipelines.training.phases.workspace import Workspace
from tests.support.tiny_stages import IMAGES, tiny_config, train_stages
from zoo.graph.blocks import find_blocks
from zoo.spec import OUTPUT, Boundary


@pytest.fixture(scope="module")
def held(splits, tmp_path_factory):
    """A model that was trained on activations in memory."""
    folder = tmp_path_factory.mktemp("held")
    model, _ = train_stages(folder, splits, tiny_config(strategy="partial"))
    return model


def test_training_on_held_activations_is_training_on_images(
    held, tmp_path, splits, monkeypatch
):
    """The limit decides where activations come from, and nothing else."""
    monkeypatch.setattr(stored, "_MEMORY_BYTES", 0)
    streamed, _ = train_stages(tmp_path, splits, tiny_config(strategy="partial"))
    for ours, theirs in zip(held.model.get_weights(), streamed.model.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_stored_activations_serve_another_run(tmp_path, splits):
    known = {}
    first_time, _ = train_stages(
        tmp_path, splits, tiny_config(strategy="partial"), known=known
    )
    ((frozen, kept),) = known.items()
    assert frozen[0] > 0
    again, _ = train_stages(
        tmp_path, splits, tiny_config(strategy="partial"), known=known
    )
    assert known[frozen] is kept
    for ours, theirs in zip(first_time.model.get_weights(), again.model.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def _cut_inside_the_skip(base):
    """The tiny network in blocks that two tensors cross, as in NASNet."""
    boundaries = (
        Boundary("stem", "stem_activation"),
        Boundary("inner", "block1_drop"),
        Boundary("rest", OUTPUT),
    )
    return dataclasses.replace(
        base,
        spec=dataclasses.replace(base.spec, blocks=boundaries),
        blocks=find_blocks(base.model, boundaries),
    )


@pytest.mark.parametrize("limit_bytes", [0, 2**30])
def test_stored_activations_of_several_tensors(
    tmp_path, splits, monkeypatch, limit_bytes
):
    monkeypatch.setattr(stored, "_MEMORY_BYTES", limit_bytes)
    config = tiny_config(strategy="partial")
    few = dataclasses.replace(splits, train=first(splits.train, 64))
    keras.utils.set_random_seed(0)
    base = freeze_base(_cut_inside_the_skip(obtain(config, IMAGES)))
    assert [len(block.frontier) for block in base.blocks] == [1, 2, 1]
    plan = decide(TrainingFacts(64, 10, base.spec.block_names), config)
    head, blocks = plan.phases
    rates = tuple(
        (name, factor if name == "rest" else 0.0)
        for name, factor in blocks.block_multipliers
    )
    last = dataclasses.replace(blocks, block_multipliers=rates)
    plain = AugmentConfig(strength="none")
    plan = dataclasses.replace(plan, phases=(head, last), augment=plain)
    model = add_head(base, classes=10, plan=plan.head)
    workspace = Workspace(tmp_path / "history", tmp_path / "tb")
    history = fine_tune(model, few, plan, workspace)
    moved = [row.largest_change > 0 for row in history.phases[-1].receipt]
    assert moved == [False, False, True, True]


def test_activations_on_disk_differ_only_by_rounding(
    held, tmp_path, splits, monkeypatch
):
    monkeypatch.setattr(stored, "_MEMORY_BYTES", 0)
    disk = ActivationCache(tmp_path / "cache")
    read, history = train_stages(
        tmp_path, splits, tiny_config(strategy="partial"), disk=disk
    )
    # Head and blocks, training and validation.
    assert len(list(disk.folder.iterdir())) == 4
    for ours, theirs in zip(held.model.get_weights(), read.model.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=0.02)
    _, again = train_stages(
        tmp_path, splits, tiny_config(strategy="partial"), disk=disk
    )
    assert len(list(disk.folder.iterdir())) == 4
    assert again.phases[-1].epochs[-1]["loss"] == history.phases[-1].epochs[-1]["loss"]


def test_cut_trains_on_activations_at_its_boundary(tmp_path, splits, monkeypatch):
    config = tiny_config(strategy="cut")
    config.head.cut_after, config.finetune.from_block = "block2", "block2"
    config.finetune.guard = False
    _, held = train_stages(tmp_path, splits, config)
    monkeypatch.setattr(stored, "_MEMORY_BYTES", 0)
    disk = ActivationCache(tmp_path / "cache")
    _, read = train_stages(tmp_path, splits, config, disk=disk)
    entries = [sorted(entry.glob("*.npy")) for entry in disk.folder.iterdir()]
    # Two blocks are averaged and one is a map, for the head and for block2 on.
    assert [len(entry) for entry in entries] == [3, 3, 3, 3]
    for ours, theirs in zip(held.phases, read.phases):
        assert ours.epochs[-1]["loss"] == pytest.approx(
            theirs.epochs[-1]["loss"], abs=0.02
        )
