"""The options of a phase, in a run of the stages: they do what the plan says."""

import dataclasses
import functools

import keras
import numpy as np
import pytest

import zoo
from pipelines.config import AugmentConfig, RunConfig
from pipelines.data.input.batches import batches
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.planning.policy import decide
from pipelines.runtime.clock import Clock
from pipelines.stages.base import freeze_base
from pipelines.stages.finetune import fine_tune
from pipelines.stages.head import add_head
from pipelines.stages.measure import measure, training_facts
from pipelines.stages.obtain import obtain
from pipelines.training.phases.workspace import Workspace

SIZE = 16


@pytest.fixture(scope="module")
def splits():
    return load(DatasetRef.parse("builtin:digits?limit=200"))


@pytest.fixture(scope="module")
def tuned(splits, tmp_path_factory):
    """Fine-tunes a tiny backbone by a config and an edit of its last phase.

    What is asked for again is not trained again: the model and its history are for
    reading only.
    """

    @functools.cache
    def trained(edit, strategy, head_alone, options):
        config = RunConfig(
            backbone="tiny_image",
            weights="none",
            input_size_px=SIZE,
            strategy=strategy,
        )
        config.head.epochs, config.finetune.epochs = 1, 2
        config.finetune.guard = False
        # A probe is right on nearly all of validation here, which leaves nothing to do.
        config.head.init = "zeros"
        for name, value in options:
            setattr(config.finetune, name, value)
        keras.utils.set_random_seed(config.seed)
        base = freeze_base(obtain(config, splits.train.inputs))
        measured = measure(base, splits, config, Clock())
        plan = decide(training_facts(base, splits, measured), config)
        *earlier, last = plan.phases
        last = dataclasses.replace(last, **dict(edit))
        phases = tuple(earlier) if head_alone else (*earlier, last)
        plain = AugmentConfig(strength="none")
        plan = dataclasses.replace(plan, phases=phases, augment=plain)
        probe = measured.probe(plan.head)
        model = add_head(base, classes=10, plan=plan.head, probe=probe)
        folder = tmp_path_factory.mktemp("tuned")
        workspace = Workspace(
            history_path=folder / "history.jsonl",
            tensorboard_dir=folder / "tensorboard",
            head_features=measured.head_features(plan.head),
        )
        return model, fine_tune(model, splits, plan, workspace)

    def run(edit=None, *, strategy="partial", head_alone=False, **options):
        edits = tuple(sorted((edit or {}).items()))
        return trained(edits, strategy, head_alone, tuple(sorted(options.items())))

    return run


@pytest.fixture(scope="module")
def after_head(tuned):
    """The weights that every run here has when blocks begin to train."""
    model, _ = tuned(head_alone=True)
    return model.model.get_weights()


def test_reestimated_statistics_are_on_receipt_and_weights_stay(tuned):
    _, history = tuned(batchnorm="reestimated")
    receipt = {one.block: one for one in history.phases[-1].receipt}
    assert receipt.pop("head").reestimated_change == 0.0
    changes = {name: one.reestimated_change > 0 for name, one in receipt.items()}
    # The last block has no BatchNorm.
    assert changes == {"stem": True, "block1": True, "block2": True, "block3": False}
    assert {one.statistics_change for one in receipt.values()} == {0.0}
    assert [one.largest_change > 0 for one in receipt.values()] == [
        False,
        False,
        True,
        True,
    ]


def test_without_it_nothing_is_reestimated(tuned):
    _, history = tuned()
    assert {one.reestimated_change for one in history.phases[-1].receipt} == {0.0}


def test_the_guard_undoes_reestimation_below_what_trains_too(tuned, after_head):
    # A rate that no network survives.
    ruin = {"learning_rate": 30.0, "clip_norm": 1e6, "only_if_better": True}
    ruin |= {"asked_for": True}  # as by name: 4 wrong examples are enough to try
    model, history = tuned(ruin, batchnorm="reestimated")
    ruined = history.phases[-1]
    assert ruined.receipt[0].reestimated_change > 0
    assert (ruined.kept, ruined.blend) == (False, 0.0)
    for ours, before in zip(model.model.get_weights(), after_head, strict=True):
        np.testing.assert_array_equal(ours, before)
    assert ruined.accuracy_after == pytest.approx(ruined.accuracy_before, abs=1e-6)
    head = history.phases[0]
    assert ruined.accuracy_before == pytest.approx(head.accuracy_after, abs=1e-6)


def _validated(model, splits):
    """Accuracy and loss on validation of a model that a run left."""
    (pixels, labels), *rest = batches(
        splits.validation, input_size_px=SIZE, batch_size=len(splits.validation)
    )
    assert not rest
    logits = model.model.predict(pixels, verbose=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    right = logits.argmax(axis=1) == labels.numpy()
    return float(right.mean()), float(loss(labels, logits))


def test_a_phase_keeps_the_average_that_was_validated(tuned, splits):
    model, history = tuned(ema_decay=0.9)
    phase = history.phases[-1]
    assert phase.soup_epochs == ()
    seen = phase.epochs[phase.best_epoch - 1]
    found = seen["val_accuracy"], seen["val_loss"]
    assert found == pytest.approx(_validated(model, splits), abs=1e-5)
    assert phase.accuracy_after == pytest.approx(found[0])


def test_phase_keeps_its_soup_and_names_its_epochs(tuned, splits):
    model, history = tuned(soup=2, ema_decay=0.5)
    phase = history.phases[-1]
    assert phase.best_epoch in phase.soup_epochs
    seen = phase.epochs[phase.best_epoch - 1]
    accuracy, loss = _validated(model, splits)
    assert phase.accuracy_after == pytest.approx(accuracy)
    assert (accuracy, -loss) >= (seen["val_accuracy"] - 1e-6, -seen["val_loss"] - 1e-5)


def test_phase_at_found_rate_equals_one_given_it(tuned):
    model, history = tuned(find_learning_rate=True)
    phase = history.phases[-1]
    assert phase.rate_found.suggested == phase.learning_rate != 3e-4
    assert len(phase.rate_found.losses) <= 100
    given, its_history = tuned(learning_rate=phase.learning_rate)
    for ours, theirs in zip(model.model.get_weights(), given.model.get_weights()):
        np.testing.assert_array_equal(ours, theirs)
    its_phase = its_history.phases[-1]
    assert its_phase.rate_found is None
    assert phase.epochs[-1]["loss"] == its_phase.epochs[-1]["loss"]


@pytest.fixture(scope="module")
def facts(splits):
    """What the policy gets to know of a backbone by its name."""
    nothing = measure(None, splits, RunConfig(strategy="scratch"), Clock())
    return lambda name: training_facts(zoo.build(name, weights=None), splits, nothing)


def test_facts_name_the_blocks_with_batchnorm(facts):

    assert facts("tiny_image").batchnorm_blocks == ("stem", "block1", "block2")
    assert facts("tiny_text").batchnorm_blocks == ()


OPTIONS = {
    "label_smoothing": ({"label_smoothing": 0.3}, {}),
    "accumulate_steps": ({"accumulate_steps": 3}, {}),
    "tune bias": ({"tune": "bias"}, {}),
    "tune norm": ({"tune": "norm"}, {}),
    "momentum": ({"optimizer": "sgd", "momentum": 0.0}, {"optimizer": "sgd"}),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_each_option_of_a_phase_changes_weights(tuned, after_head, name):
    fields, without = OPTIONS[name]
    model, history = tuned(**fields)
    other, others = tuned(**without)
    start = after_head
    weights, plain = model.model.get_weights(), other.model.get_weights()
    assert any(np.abs(a - b).max() > 1e-6 for a, b in zip(weights, plain))
    assert any(np.abs(a - b).max() > 1e-6 for a, b in zip(weights, start))
    trained, usual = (h.phases[-1].trained_parameters for h in (history, others))
    assert (trained < usual) == name.startswith("tune")
    if name == "label_smoothing":
        # Validation has plain labels, and so an honest loss.
        seen = [phase.epochs[0] for phase in (history.phases[-1], others.phases[-1])]
        assert seen[0]["loss"] > seen[1]["loss"]
