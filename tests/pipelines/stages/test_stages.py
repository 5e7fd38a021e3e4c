"""The stages on the tiny backbone: each turns one value into the next."""

import dataclasses
import time
import types

import keras
import numpy as np
import pytest

import zoo
from pipelines.calibration.calibration import uncalibrated
from pipelines.config import AugmentConfig, RunConfig
from pipelines.data.input.batches import steps_per_epoch
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import ImageFiles, first
from pipelines.errors import ConfigError, TrainingError
from pipelines.features import stored
from pipelines.features.activation_cache import ActivationCache
from pipelines.planning.plan import HeadPlan
from pipelines.planning.policy import TrainingFacts, decide
from pipelines.runtime.clock import Clock
from pipelines.stages import finetune
from pipelines.stages.base import freeze_base
from pipelines.stages.evaluate import evaluate, summarize
from pipelines.stages.finetune import fine_tune
from pipelines.stages.head import add_head
from pipelines.stages.measure import measure, training_facts
from pipelines.stages.obtain import obtain
from pipelines.stages.outputs import outputs
from pipelines.training.phases.task import PhaseInputs, make_task
from pipelines.training.phases.workspace import Workspace
from zoo.errors import MissingWeightsError

SIZE = 16
PLAIN = AugmentConfig(strength="none")


@pytest.fixture(scope="module")
def splits():
    return load(DatasetRef.parse("builtin:digits?limit=400"))


def _config(**fields) -> RunConfig:
    config = RunConfig(
        backbone="tiny_image", weights="none", input_size_px=SIZE, **fields
    )
    config.head.epochs = 2
    config.finetune.epochs = 2
    return config


IMAGES = ImageFiles(("a.png", "b.png"))


def _run(
    tmp_path,
    splits,
    config,
    *,
    edit=lambda plan: plan,
    deadline=float("inf"),
    disk=None,
    known=None,
):
    keras.utils.set_random_seed(config.seed)
    base = freeze_base(obtain(config, IMAGES))
    measured = measure(base, splits, config, Clock())
    plan = decide(training_facts(base, splits, measured), config)
    plan = edit(dataclasses.replace(plan, augment=PLAIN))
    probe = measured.probe(plan.head)
    model = add_head(base, classes=10, plan=plan.head, probe=probe)
    workspace = Workspace(
        history_path=tmp_path / "history.jsonl",
        tensorboard_dir=tmp_path / "tensorboard",
        deadline_seconds=deadline,
        head_features=None if disk else measured.head_features(plan.head),
        activation_cache=disk,
        known_activations=known,
    )
    return model, fine_tune(model, splits, plan, workspace)


def _report(model, split, splits):
    (found,) = outputs(model, [split], batch_size=32)
    return evaluate(
        found,
        uncalibrated(10, reason="as it is"),
        class_names=splits.info.class_names,
    )


def test_obtain_gives_random_weights_where_asked_or_where_there_are_none(caplog):
    assert obtain(_config(), IMAGES).weights == "random"
    assert not caplog.text
    asked = dataclasses.replace(_config(), weights="default")
    assert obtain(asked, IMAGES).weights == "random"
    assert "Nobody has published weights for tiny_image" in caplog.text
    missing = dataclasses.replace(_config(), weights="missing.weights.h5")
    with pytest.raises(MissingWeightsError, match="There is no weight file"):
        obtain(missing, IMAGES)


def test_obtain_starts_from_scratch_at_random_whatever_weights_say():
    config = dataclasses.replace(_config(strategy="scratch"), weights="default")
    assert obtain(config, IMAGES).weights == "random"


def test_a_frozen_base_has_nothing_to_train():
    base = freeze_base(obtain(_config(), IMAGES))
    assert base.model.trainable_variables == []
    assert len(base.model.weights) > 0


def _head(**changes):
    plan = HeadPlan(
        reads=("block3",),
        grid=1,
        standardized=False,
        pooling="average",
        recurrent_units=8,
        hidden_units=(),
        dropout=0.0,
        init="epsilon",
    )
    return dataclasses.replace(plan, **changes)


@pytest.mark.parametrize("pooling", ["average", "max", "flatten"])
@pytest.mark.parametrize("hidden_units", [(), (8,), (8, 4)])
def test_heads_give_float32_logits(pooling, hidden_units):
    plan = _head(pooling=pooling, hidden_units=hidden_units, dropout=0.1)
    model = add_head(zoo.build("tiny_image", weights=None), classes=3, plan=plan)
    logits = model.model(np.zeros((2, 32, 32, 3), "uint8"))
    assert logits.shape == (2, 3)
    assert logits.dtype == "float32"
    assert len(model.head_layers) == len(hidden_units) + 2


@pytest.mark.parametrize(("init", "largest"), [("zeros", 0.0), ("epsilon", 0.01)])
def test_logits_start_as_the_plan_says(init, largest):
    plan = _head(init=init)
    model = add_head(zoo.build("tiny_image", weights=None), classes=5, plan=plan)
    kernel = np.abs(model.logits_layer.kernel.numpy())
    assert kernel.max() <= largest
    assert (kernel.max() > 0) == (init == "epsilon")


def test_head_only_moves_the_head_and_nothing_else(tmp_path, splits):
    _, history = _run(tmp_path, splits, _config(strategy="head_only"))
    (phase,) = history.phases
    moved = {one.block: one.largest_change for one in phase.receipt}
    assert moved.pop("head") > 0
    assert set(moved.values()) == {0.0}
    assert len(moved) == 4


def test_partial_moves_the_last_half_and_the_head(tmp_path, splits):
    _, history = _run(tmp_path, splits, _config(strategy="partial"))
    phase = history.phases[-1]
    assert [one.block for one in phase.receipt if one.largest_change > 0] == [
        "block2",
        "block3",
        "head",
    ]
    assert all(one.statistics_change == 0.0 for one in phase.receipt)
    assert [one.trainable for one in phase.receipt] == [False, False, True, True, True]


def test_from_scratch_learns_more_than_chance(tmp_path, splits):
    config = _config(strategy="scratch")
    config.finetune.epochs = 8
    config.finetune.learning_rate = 3e-3
    model, history = _run(tmp_path, splits, config)
    assert history.phases[0].receipt[0].statistics_change > 0
    report = _report(model, splits.test, splits)
    assert report.accuracy > 0.5
    assert report.examples == len(splits.test)


def test_a_guarded_phase_that_does_not_help_is_undone(tmp_path, splits):
    def ruin(plan):
        head, last = plan.phases
        # A rate that no network survives, without the clipping that would save it.
        last = dataclasses.replace(last, learning_rate=30.0, clip_norm=1e6)
        return dataclasses.replace(plan, phases=(head, last))

    config = _config(strategy="auto")
    # A probe is right on nearly everything here, and then there is no such phase.
    config.head.init = "zeros"
    model, history = _run(tmp_path, splits, config, edit=ruin)
    ruined = history.phases[-1]
    assert not ruined.kept
    assert ruined.blend == 0.0
    assert ruined.accuracy_after == pytest.approx(ruined.accuracy_before)
    # It exploded twice, and started over at a tenth each time.
    assert ruined.learning_rate == pytest.approx(0.3)
    report = _report(model, splits.validation, splits)
    assert report.accuracy == pytest.approx(ruined.accuracy_before, abs=1e-6)


@pytest.mark.parametrize(
    ("phase", "wrong", "left_out"),
    # Of 4 wrong, half put right are 2, more than the square root of 3; of 3, not.
    [("fine_tune", 3, True), ("fine_tune", 4, False), ("head", 1, True)]
    + [("head", 2, False), ("unguarded", 0, False)],
)
def test_what_can_be_expected_has_to_exceed_its_standard_error(phase, wrong, left_out):
    plan = decide(
        TrainingFacts(examples=400, classes=10, block_names=("a", "b")),
        RunConfig(strategy="partial"),
    )
    head, blocks = plan.phases
    asked = {
        "head": head,
        "fine_tune": dataclasses.replace(blocks, only_if_better=True),
        "unguarded": blocks,
    }[phase]
    last = types.SimpleNamespace(imbalance="none", accuracy_after=1 - wrong / 100)
    splits = types.SimpleNamespace(validation=range(100))
    assert finetune._cannot_gain(asked, last, splits) is left_out


def test_a_guarded_phase_that_could_not_show_a_gain_is_left_out(tmp_path, splits):
    """The head is right on what it was fitted to, so nothing is left to get right."""
    known = splits.train.take(np.arange(20))
    splits = dataclasses.replace(splits, validation=known)

    def guard(plan):
        head, blocks = plan.phases
        guarded = dataclasses.replace(blocks, only_if_better=True)
        return dataclasses.replace(plan, phases=(head, guarded))

    _, history = _run(tmp_path, splits, _config(strategy="partial"), edit=guard)
    assert history.phases[-1].accuracy_after == 1.0
    assert history.not_needed == ("fine_tune",)
    _, unguarded = _run(tmp_path, splits, _config(strategy="partial"))
    assert unguarded.not_needed == ()


def test_views_of_an_example_take_turns_over_the_epochs(tmp_path, splits):
    config = _config(strategy="head_only")
    base = freeze_base(obtain(config, IMAGES))
    measured = measure(base, splits, config, Clock())
    plan = decide(training_facts(base, splits, measured), config)
    model = add_head(base, classes=10, plan=plan.head)
    _, validation = measured.head_features(plan.head)
    count, width = len(splits.train), validation.shape[1]
    rows = np.repeat(np.arange(3 * count, dtype=np.float32)[:, None], width, axis=1)
    workspace = Workspace(
        history_path=tmp_path / "history.jsonl",
        tensorboard_dir=tmp_path / "tensorboard",
        head_features=(rows, validation),
    )
    (phase,) = plan.phases
    task = make_task(PhaseInputs(model, splits, plan, phase, workspace, seed=0))
    steps = steps_per_epoch(splits.train, plan.batch_size)
    read = task.train.take(3 * steps).as_numpy_iterator()
    seen, labels = (np.concatenate(column) for column in zip(*read))
    row, example = seen[:, 0].astype(int), seen[:, 0].astype(int) % count
    np.testing.assert_array_equal(labels, splits.train.labels[example])
    for epoch in range(3):
        once = example[epoch * count : (epoch + 1) * count]
        np.testing.assert_array_equal(np.sort(once), np.arange(count))
    np.testing.assert_array_equal(np.sort(row), np.arange(3 * count))


def test_a_loss_that_is_not_a_number_is_an_error_that_names_the_rate(tmp_path, splits):
    def explode(plan):
        (phase,) = plan.phases
        phase = dataclasses.replace(
            phase, optimizer="sgd", learning_rate=1e30, clip_norm=1e30
        )
        return dataclasses.replace(plan, phases=(phase,))

    with pytest.raises(TrainingError, match="Lower the learning rate"):
        _run(tmp_path, splits, _config(strategy="scratch"), edit=explode)


def test_a_plan_that_leaves_a_block_out_is_refused_before_training(tmp_path, splits):
    def forget(plan):
        (phase,) = plan.phases
        kept = phase.block_multipliers[1:]
        return dataclasses.replace(
            plan, phases=(dataclasses.replace(phase, block_multipliers=kept),)
        )

    with pytest.raises(ConfigError, match=r"leaves out the blocks \['stem'\]"):
        _run(tmp_path, splits, _config(strategy="head_only"), edit=forget)
    assert not (tmp_path / "history.jsonl").exists()


def test_after_the_deadline_only_the_first_phase_runs(tmp_path, splits):
    past = time.monotonic() - 1
    _, history = _run(tmp_path, splits, _config(strategy="auto"), deadline=past)
    assert [phase.name for phase in history.phases] == ["head"]
    assert history.skipped == ("fine_tune_last_half",)
    assert len(history.phases[0].epochs) == 1


def test_the_order_of_examples_changes_from_phase_to_phase_and_seed_to_seed(
    tmp_path, splits
):
    results = {
        seed: _run(tmp_path, splits, _config(strategy="full", seed=seed))[1]
        for seed in (0, 1)
    }
    losses = [
        phase.epochs[0]["loss"] for run in results.values() for phase in run.phases
    ]
    assert len(set(losses)) == 4


def test_summaries_count_every_example_once():
    labels = np.array([0, 0, 1, 2])
    predicted = np.array([0, 1, 1, 1])
    log_probabilities = np.log(np.eye(3)[predicted] * 0.9 + 0.1 / 3)
    report = summarize(
        "test",
        labels=labels,
        log_probabilities=log_probabilities,
        class_names=("a", "b", "c"),
    )
    assert report.confusion == ((1, 1, 0), (0, 1, 0), (0, 1, 0))
    assert report.examples == sum(map(sum, report.confusion)) == 4
    assert report.accuracy == 0.5
    # Four of equal confidence, 0.9 + 0.1 / 3, of which half are right.
    assert report.calibration_error == pytest.approx(0.9 + 0.1 / 3 - 0.5)
    assert report.balanced_accuracy == 0.5  # (1/2 + 1 + 0) / 3
    assert report.per_class["b"] == {
        "precision": pytest.approx(1 / 3),
        "recall": 1.0,
        "f1": 0.5,
        "examples": 1,
    }
    assert report.per_class["c"]["precision"] == 0.0


def test_training_on_held_activations_is_training_on_images(
    tmp_path, splits, monkeypatch
):
    """The limit decides where activations come from, and nothing else."""
    held, _ = _run(tmp_path, splits, _config(strategy="partial"))
    monkeypatch.setattr(stored, "_MEMORY_BYTES", 0)
    streamed, _ = _run(tmp_path, splits, _config(strategy="partial"))
    for ours, theirs in zip(held.model.get_weights(), streamed.model.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_same_base_trains_again_on_activations_that_are_known(tmp_path, splits):
    known = {}
    first_time, _ = _run(tmp_path, splits, _config(strategy="partial"), known=known)
    ((frozen, kept),) = known.items()
    assert frozen[0] > 0
    again, _ = _run(tmp_path, splits, _config(strategy="partial"), known=known)
    assert known[frozen] is kept
    for ours, theirs in zip(first_time.model.get_weights(), again.model.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("limit_bytes", [0, 2**30])
def test_a_boundary_that_several_tensors_cross(
    tmp_path, splits, monkeypatch, limit_bytes
):
    monkeypatch.setattr(stored, "_MEMORY_BYTES", limit_bytes)
    config = _config(strategy="partial")
    config.backbone, config.input_size_px = "nasnet_mobile", 32
    config.head.epochs = config.finetune.epochs = 1
    few = dataclasses.replace(splits, train=first(splits.train, 64))
    keras.utils.set_random_seed(0)
    base = freeze_base(obtain(config, IMAGES))
    # Near the end, because gradients of a large network take minutes to build.
    first_trained = len(base.blocks) - 2
    assert len(base.blocks[first_trained - 1].frontier) == 2
    plan = decide(TrainingFacts(64, 10, base.spec.block_names), config)
    plan = dataclasses.replace(plan, augment=PLAIN)
    head, blocks = plan.phases
    rates = tuple(
        (name, factor if i >= first_trained else 0.0)
        for i, (name, factor) in enumerate(blocks.block_multipliers)
    )
    last = dataclasses.replace(blocks, block_multipliers=rates)
    plan = dataclasses.replace(plan, phases=(head, last))
    model = add_head(base, classes=10, plan=plan.head)
    workspace = Workspace(tmp_path / "history", tmp_path / "tb")
    history = fine_tune(model, few, plan, workspace)
    moved = [one.largest_change > 0 for one in history.phases[-1].receipt]
    assert moved == [False] * first_trained + [True] * 3


def test_activations_on_disk_give_the_same_but_for_their_rounding(
    tmp_path, splits, monkeypatch
):
    held, _ = _run(tmp_path, splits, _config(strategy="partial"))
    monkeypatch.setattr(stored, "_MEMORY_BYTES", 0)
    disk = ActivationCache(tmp_path / "cache")
    read, history = _run(tmp_path, splits, _config(strategy="partial"), disk=disk)
    # Head and blocks, training and validation.
    assert len(list(disk.folder.iterdir())) == 4
    for ours, theirs in zip(held.model.get_weights(), read.model.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=0.02)
    _, again = _run(tmp_path, splits, _config(strategy="partial"), disk=disk)
    assert len(list(disk.folder.iterdir())) == 4
    assert again.phases[-1].epochs[-1]["loss"] == history.phases[-1].epochs[-1]["loss"]
