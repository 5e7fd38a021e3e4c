"""Augmentation and imbalance reach training, and nothing but training."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import pipelines
from pipelines.calibration.calibration import uncalibrated
from pipelines.config import AugmentConfig, RunConfig
from pipelines.data.input.augment import Augmentation
from pipelines.data.input.augment_series import SeriesAugmentation
from pipelines.data.input.pixel_cache import PixelCache
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import (
    DataInfo,
    ImageArray,
    Series,
    Split,
    Splits,
    Texts,
)
from pipelines.display.result_table import result_table
from pipelines.errors import ConfigError
from pipelines.planning.policy import decide
from pipelines.problems.class_reports import evaluate
from pipelines.problems.single_label import SingleLabel
from pipelines.runtime.clock import Clock
from pipelines.stages.base import freeze_base
from pipelines.stages.finetune import FitHistory, fine_tune
from pipelines.stages.head import add_head
from pipelines.stages.measure import measure, training_facts
from pipelines.stages.obtain import obtain
from pipelines.stages.outputs import outputs
from pipelines.training.class_weighting import (
    Feed,
    chosen_augmentation,
    keeps_labels_mirrored,
    refuse_augmentation,
)
from pipelines.training.phases.workspace import Workspace
from pipelines.training.transfer_model import TransferModel

SIZE = 16


def imbalanced(counts: dict[int, int]) -> Splits:
    """Digits with so many training examples of each; other splits are even."""
    whole = load(DatasetRef.parse("builtin:digits?validation=0.2&test=0.3"))
    wanted = list(counts)

    def part(split: Split, sizes: dict[int, int]) -> Split:
        rows = [np.flatnonzero(split.labels == d)[: sizes[d]] for d in wanted]
        members = np.concatenate(rows)
        labels = np.repeat(np.arange(len(wanted)), [len(r) for r in rows])
        return Split(split.name, split.inputs.take(members), labels)

    names = tuple(str(digit) for digit in wanted)
    info = DataInfo(names, {"train": dict(zip(names, counts.values()))}, "", "")
    even = dict.fromkeys(wanted, 30)
    return Splits(
        part(whole.train, counts),
        part(whole.validation, even),
        part(whole.test, even),
        info,
    )


@pytest.fixture(scope="module")
def splits() -> Splits:
    return imbalanced({8: 80, 3: 8, 9: 4})


def trained(
    splits: Splits,
    folder,
    *,
    strategy: str = "head_only",
    epochs: int = 15,
    **decisions,
) -> tuple[TransferModel, FitHistory]:
    config = RunConfig(
        backbone="tiny_image", weights="none", input_size_px=SIZE, strategy=strategy
    )
    config.head.epochs = config.finetune.epochs = epochs
    config.finetune.patience_epochs = epochs
    keras.utils.set_random_seed(1)
    base = freeze_base(obtain(config, splits.train.inputs))
    classes = len(splits.info.class_names)
    # Heads of the last block, so that there is something left to gain.
    config.head.reads = "last"
    measured = measure(base, splits, config, Clock())
    plan = decide(training_facts(base, splits, measured), config)
    balanced = decisions.get("imbalance", "none") != "none"
    probe = measured.probe(plan.head, balanced=balanced)
    model = add_head(base, classes=classes, plan=plan.head, probe=probe)
    decisions = {"augment": AugmentConfig(strength="none"), **decisions}
    plan = dataclasses.replace(plan, seed=1, **decisions)
    pixels = PixelCache(2**20)
    workspace = Workspace(folder / "history", folder / "tb", pixel_cache=pixels)
    return model, fine_tune(model, splits, plan, workspace)


def balanced_accuracy(model: TransferModel, splits: Splits) -> float:
    (found,) = outputs(model, [splits.test], batch_size=32)
    as_it_is = uncalibrated(len(splits.info.class_names), reason="as it is")
    names = splits.info.class_names
    return evaluate(found, as_it_is, class_names=names).balanced_accuracy


@pytest.fixture(scope="module")
def uncorrected(splits: Splits, tmp_path_factory) -> float:
    model, _ = trained(splits, tmp_path_factory.mktemp("plain"))
    return balanced_accuracy(model, splits)


@pytest.mark.parametrize("how", ["weights", "sampling", "prior_correction"])
def test_every_correction_improves_balanced_accuracy(
    splits: Splits, uncorrected: float, tmp_path, how: str
) -> None:
    model, history = trained(splits, tmp_path, imbalance=how)
    assert history.phases[0].imbalance == how
    assert balanced_accuracy(model, splits) > uncorrected + 0.05


@pytest.mark.parametrize("how", ["none", "weights", "sampling", "prior_correction"])
def test_validation_is_balanced_where_training_is_corrected(
    splits: Splits, how: str
) -> None:
    part = splits.validation.take([0, 1, 30, 60])  # two of the first class
    feed = Feed(dataclasses.replace(splits, validation=part), how)
    stream = tf.data.Dataset.from_tensors((tf.zeros([4, 3]), part.labels))
    ((_, *rest),) = feed.validation(stream)
    if how == "none":
        assert len(rest) == 1
    else:
        assert rest[1].numpy() == pytest.approx([2 / 3, 2 / 3, 4 / 3, 4 / 3])


@pytest.mark.parametrize("how", ["weights", "prior_correction"])
def test_mixed_images_train_with_every_correction(
    splits: Splits, tmp_path, how: str
) -> None:
    augment = AugmentConfig(
        strength="light", flip="none", mixup_from_images=0, mixup=0.4, cutmix=1.0
    )
    model, history = trained(
        splits,
        tmp_path,
        strategy="partial",
        epochs=1,
        imbalance=how,
        augment=augment,
    )
    head, blocks = history.phases
    assert head.augmentation is None
    assert blocks.augmentation == Augmentation("none", 0.7, 0.1, mixup=0.4, cutmix=1.0)
    assert np.isfinite(blocks.epochs[0]["loss"])
    moved = [one.largest_change > 0 for one in blocks.receipt]
    assert moved == [False, False, True, True, True]
    assert model.model.count_params() < 20_000  # what is used has no layer more


def resolved(augment: AugmentConfig, count: int = 10, **options):
    options = {"from_random": False, "mirrors": lambda: True, **options}
    pixels = np.zeros((count, 2, 2, 3), np.uint8)
    train = Split("train", ImageArray(pixels), np.arange(count) % 2)
    return chosen_augmentation(augment, train, **options)


def test_auto_augments_lightly_when_blocks_train_on_images() -> None:
    light = Augmentation("horizontal", 0.7, 0.1)
    assert resolved(AugmentConfig()) == light
    assert resolved(AugmentConfig(strength="light")) == light
    assert resolved(AugmentConfig(), from_random=True) is None
    assert resolved(AugmentConfig(strength="light"), from_random=True) == light
    assert resolved(AugmentConfig(strength="none")) is None


def test_strong_adds_randaugment_and_many_images_mixup() -> None:
    strong = resolved(AugmentConfig(strength="strong"))
    assert strong == Augmentation("horizontal", 0.7, 0.1, 2, 0.3)
    assert resolved(AugmentConfig(mixup_from_images=10)).mixup == 0.1
    assert resolved(AugmentConfig(mixup_from_images=11)).mixup == 0
    assert resolved(AugmentConfig(cutmix=0.5)).cutmix == 0.5


def test_mirroring_is_measured_only_for_flip_auto() -> None:
    assert resolved(AugmentConfig(), mirrors=lambda: False).flip == "none"
    for flip in ("none", "horizontal", "both"):
        found = resolved(AugmentConfig(flip=flip), mirrors=lambda: 1 / 0)
        assert found.flip == flip


def left_or_right() -> keras.Model:
    """Tells by which half of an image is brighter."""
    pixels = keras.Input([2, 2, 3])
    sides = keras.ops.mean(keras.ops.cast(pixels, "float32"), axis=(1, 3))
    return keras.Model(pixels, sides)


SIDES = SingleLabel(("left", "right"))


def test_mirrored_images_keep_their_labels_or_not() -> None:
    labels = np.arange(40) % 2
    sides = np.zeros((40, 2, 2, 3), np.float32)
    sides[np.arange(40), :, labels] = 255
    rows = np.zeros((40, 2, 2, 3), np.float32)
    rows[:, :, 1] = 10  # the same on each side, but for a little
    stream = tf.data.Dataset.from_tensors((sides, labels))
    assert not keeps_labels_mirrored(left_or_right(), stream, labels, SIDES)
    both = keras.Model((m := left_or_right()).input, m.output)
    means = tf.data.Dataset.from_tensors((rows, labels))
    assert not keeps_labels_mirrored(both, means, labels, SIDES)  # it knows nothing
    pixels = keras.Input([2, 2, 3])
    height = keras.Model(pixels, keras.ops.mean(pixels, axis=(2, 3)))
    turned = tf.data.Dataset.from_tensors((sides.transpose(0, 2, 1, 3), labels))
    assert keeps_labels_mirrored(height, turned, labels, SIDES)


def test_texts_are_not_augmented() -> None:
    texts = Texts(np.array([b"a", b"b"], object))
    for strength in ("light", "strong"):
        with pytest.raises(ConfigError, match="hold texts; only images and series"):
            refuse_augmentation(AugmentConfig(strength=strength), texts)
    refuse_augmentation(AugmentConfig(), texts)
    split = Split("train", texts, np.arange(2))
    options = {"from_random": False, "mirrors": lambda: True}
    assert chosen_augmentation(AugmentConfig(), split, **options) is None


@pytest.mark.parametrize(
    ("strength", "from_random", "chosen"),
    [
        ("auto", False, None),
        ("none", True, None),
        ("auto", True, SeriesAugmentation(0.03, 0.1, 0.1, 0.9)),
        ("light", False, SeriesAugmentation(0.03, 0.1, 0.1, 0.9)),
        ("strong", False, SeriesAugmentation(0.06, 0.2, 0.2, pytest.approx(0.8))),
    ],
)
def test_series_have_an_augmentation_of_their_own(
    strength: str, from_random: bool, chosen: SeriesAugmentation | None
) -> None:
    series = Series(np.zeros((4, 3, 1), np.float32))
    augment = AugmentConfig(strength=strength)
    refuse_augmentation(augment, series)
    split = Split("train", series, np.arange(4) % 2)
    options = {"from_random": from_random, "mirrors": lambda: False}
    assert chosen_augmentation(augment, split, **options) == chosen


def test_augmentation_and_imbalance_appear_in_the_report(tmp_path) -> None:
    run = pipelines.fine_tune(
        "builtin:digits?limit=120",
        backbone="tiny_image",
        weights="none",
        strategy="full",
        imbalance="weights",
        profile=True,
        augment=AugmentConfig(strength="light", mixup_from_images=0),
        head=dataclasses.replace(RunConfig().head, epochs=1),
        finetune=dataclasses.replace(RunConfig().finetune, epochs=1),
        input_size_px=SIZE,
        workdir=tmp_path / "run",
    )
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"data_card.json", "data_card.md"} <= left
    head, blocks = run.report["phases"]
    assert (head["imbalance"], head["augmentation"]) == ("weights", None)
    assert blocks["augmentation"]["mixup"] == 0.1
    assert blocks["augmentation"]["flip"] == "none"  # digits
    assert 0 <= run.report["test"]["balanced_accuracy"] <= 1
    assert run.report["data"]["skipped"] == {}
    assert blocks["profile"]["steps"] == 8
    table = result_table(run.report)
    assert "milliseconds of a step" in table
    for phase in (head, blocks):
        del phase["profile"]
    assert "milliseconds of a step" not in result_table(run.report)


def test_smoothing_is_of_training_labels_alone(splits):
    labels = tf.constant(splits.train.labels[:4])
    batch = tf.data.Dataset.from_tensors((tf.zeros([4, 1]), labels))
    feed = Feed(splits, "weights", label_smoothing=0.3)
    _, smoothed, weights = next(iter(feed.training(batch)))
    hard = smoothed.numpy().argmax(axis=1)
    assert hard.tolist() == labels.numpy().tolist()
    np.testing.assert_allclose(smoothed.numpy().max(axis=1), 0.8, rtol=1e-6)
    # Weights are of the class of an example, and not of what it is smoothed to.
    plain = next(iter(Feed(splits, "weights").training(batch)))[2]
    np.testing.assert_array_equal(weights, plain)
    _, validated, _ = next(iter(feed.validation(batch)))
    np.testing.assert_array_equal(validated, tf.one_hot(labels, 3))
    assert isinstance(feed.loss(), keras.losses.CategoricalCrossentropy)


def test_feed_has_the_loss_of_its_phase():
    labels = np.float32([[1], [2], [9]])
    images = ImageArray(np.zeros((3, 2, 2, 3), np.uint8))
    parts = {
        name: Split(name, images, labels) for name in ("train", "validation", "test")
    }
    info = DataInfo(("y",), {}, "", "npz:x", (), problem="regression")
    for name, threshold in (("huber", 1.345), ("squared", np.inf)):
        feed = Feed(Splits(**parts, info=info), "none", number_loss=name)
        assert feed.problem.threshold == threshold
        far = float(feed.loss()(labels, np.float32([[10], [10], [10]])))
        assert -feed.problem.judge(
            np.float32([[10], [10], [10]]), labels
        ).log_p.mean() == pytest.approx(far, rel=1e-4)
