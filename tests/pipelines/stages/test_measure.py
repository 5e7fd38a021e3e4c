"""One pass reads every block, and tells what a head should read."""

import dataclasses

import keras
import numpy as np
import pytest

import zoo
from pipelines.config import AugmentConfig, RunConfig
from pipelines.data.input.augment import Augmentation
from pipelines.data.input.batches import batches, view_batches
from pipelines.data.load import check_and_split, load
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Examples, Series
from pipelines.features import views as viewing
from pipelines.planning.policy import decide
from pipelines.runtime.clock import Clock
from pipelines.stages import measure as measuring
from pipelines.stages.base import fit_base, freeze_base
from pipelines.stages.evidence import compare
from pipelines.stages.head import add_head
from pipelines.stages.measure import measure, training_facts
from pipelines.stages.obtain import obtain
from pipelines.stages.plan import choose_plan


@pytest.fixture(scope="module")
def splits():
    return load(DatasetRef.parse("builtin:digits?limit=300"))


@pytest.fixture(scope="module")
def base():
    keras.utils.set_random_seed(0)
    return freeze_base(zoo.build("tiny_image", weights=None, input_size_px=32))


CONFIG = RunConfig(data="builtin:digits", backbone="tiny_image", weights="none")


@pytest.fixture(scope="module")
def measured(base, splits):
    return measure(base, splits, CONFIG, Clock())


def test_measure_scores_every_block_and_possible_head_inputs(measured, base):
    evidence = measured.evidence
    names = base.spec.block_names
    assert [one.reads for one in evidence.depths] == [(name,) for name in names]
    assert [(one.reads, one.grid) for one in evidence.heads] == [
        (names[-1:], 1),
        (names, 1),
        (names, 2),
    ]
    assert evidence.examples == len(measured.labels)
    assert 0.08 < evidence.majority_accuracy < 0.15
    assert 0.5 < evidence.pixel_accuracy < 1.0
    assert all(evidence.majority_accuracy < one.accuracy < 1 for one in evidence.depths)


def test_a_head_starts_as_its_probe(measured, base, splits):
    """What the model gives before training is what the probe is scored on."""
    plan = decide(training_facts(base, splits, measured), CONFIG)
    probe = measured.probe(plan.head)
    model = add_head(base, classes=10, plan=plan.head, probe=probe)
    train, _ = measured.head_features(plan.head)
    train = train[: len(splits.train)]
    expected = probe.standardization([train]) @ probe.kernel + probe.bias
    read = batches(splits.train, input_size_px=32, batch_size=64)
    found = np.concatenate([model.model.predict(x, verbose=0) for x, _ in read])
    np.testing.assert_allclose(found, expected, atol=0.05, rtol=0.05)
    assert (found.argmax(axis=1) == splits.train.labels).mean() > 0.9


def test_few_images_are_read_as_crops_too(splits, monkeypatch):
    """Every view of all images, one view after the other, the first as they are."""
    count = len(splits.train)
    monkeypatch.setattr(viewing, "_SURE", 1.1)
    once, measured = measure_with(splits, views=1), measure_with(splits, views=0)
    assert (measured.views, measured.evidence.views, once.views) == (3, 3, 1)
    for key, values in measured.train.items():
        assert len(values) == 3 * count
        np.testing.assert_array_equal(values[:count], once.train[key])
        assert not np.array_equal(values[:count], values[count : 2 * count])
    assert measured.evidence.heads == once.evidence.heads
    monkeypatch.setattr(viewing, "_FEW", count - 1)
    assert viewing.count_views(CONFIG, splits.train) == 1
    more = dataclasses.replace(CONFIG, head=dataclasses.replace(CONFIG.head, views=2))
    assert viewing.count_views(more, splits.train) == 2
    plain = dataclasses.replace(CONFIG, augment=AugmentConfig(strength="none"))
    assert viewing.count_views(plain, splits.train) == 1


def test_measure_reads_no_crops_when_probe_is_right(measured, splits):
    """Those of 21 images per class, of which it is right on 19 of 20 as they are."""
    sure = {"left_out": 0.95, "per_class": 20}
    assert measured.evidence.best_head.accuracy >= 0.95
    assert (measured.views, len(measured.labels)) == (1, len(splits.train))
    assert not viewing.are_worth_it(CONFIG, **sure)
    assert viewing.are_worth_it(CONFIG, **(sure | {"left_out": 0.94}))
    assert viewing.are_worth_it(CONFIG, **(sure | {"per_class": 19}))
    asked = dataclasses.replace(CONFIG, head=dataclasses.replace(CONFIG.head, views=2))
    assert viewing.are_worth_it(asked, **sure)


def measure_with(splits, *, views):
    keras.utils.set_random_seed(0)
    base = freeze_base(zoo.build("tiny_image", weights=None, input_size_px=32))
    head = dataclasses.replace(CONFIG.head, views=views)
    return measure(base, splits, dataclasses.replace(CONFIG, head=head), Clock())


def test_views_are_the_same_whatever_the_batch_size(splits):
    how = Augmentation(crop=0.7)
    few = dataclasses.replace(splits.train).take(np.arange(20))

    def seen(view, batch_size):
        read = view_batches(
            few, how, view=view, input_size_px=32, batch_size=batch_size, seed=0
        )
        pixels, labels = zip(*read.as_numpy_iterator())
        np.testing.assert_array_equal(np.concatenate(labels), few.labels)
        return np.concatenate(pixels)

    np.testing.assert_array_equal(seen(1, 20), seen(1, 7))
    assert not np.array_equal(seen(1, 20), seen(2, 20))


def test_accuracy_of_left_out_examples_agrees_with_validation(measured, base, splits):
    plan = decide(training_facts(base, splits, measured), CONFIG)
    probe = measured.probe(plan.head)
    _, validation = measured.head_features(plan.head)
    logits = probe.standardization([validation]) @ probe.kernel + probe.bias
    accuracy = (logits.argmax(axis=1) == splits.validation.labels).mean()
    assert accuracy == pytest.approx(measured.evidence.best_head.accuracy, abs=0.12)


def test_of_many_examples_some_are_read(base, splits, monkeypatch):
    monkeypatch.setattr(measuring, "MOST_READ", 50)
    monkeypatch.setattr(compare, "_COMPARED", 30)
    some = measure(base, splits, CONFIG, Clock())
    assert len(some.labels) == 50
    assert some.evidence.examples == 30
    plan = decide(training_facts(base, splits, some), CONFIG)
    assert some.head_features(plan.head) is None
    assert some.probe(plan.head).kernel.shape[1] == 10


def test_group_members_do_not_vouch_for_each_other(base, splits):
    """Every image twice under labels that mean nothing."""
    rng = np.random.default_rng(0)
    rows = np.arange(60).repeat(2)
    labels = rng.permutation(np.arange(60) % 2).repeat(2)
    twins = dataclasses.replace(
        splits.train, inputs=splits.train.inputs.take(rows), labels=labels
    )

    def accuracy(groups):
        train = dataclasses.replace(twins, groups=groups)
        given = dataclasses.replace(splits, train=train)
        return measure(base, given, CONFIG, Clock()).evidence.heads[-1].accuracy

    assert accuracy(np.arange(120)) > 0.9
    assert accuracy(rows) < 0.7


def test_measure_skips_random_weights_that_will_train(base, splits):
    config = dataclasses.replace(CONFIG, strategy="scratch")
    found = measure(base, splits, config, Clock())
    plan = decide(training_facts(base, splits, found), config)
    assert found.evidence is None
    assert found.probe(plan.head) is None


@pytest.mark.parametrize(
    ("backbone", "is_solved"), [("", True), ("tiny_series", False)]
)
def test_only_fitted_base_is_solved_for_both_splits(backbone, is_solved):
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    rate = np.where(labels, 0.4, 0.9)[:, None]
    waves = np.sin(rate * np.arange(24) + rng.uniform(0, 6, (40, 1)))
    series = Series(waves[..., None].astype(np.float32))
    names = [f"series {i}" for i in range(40)]
    examples = Examples(series, names, labels, ("fast", "slow"))
    splits = check_and_split(examples, DatasetRef.parse("npz:waves.npz"))
    config = RunConfig(data="npz:waves.npz", backbone=backbone, weights="none")
    base = fit_base(obtain(config, series), splits.train, seed=0)
    measured = measure(base, splits, config, Clock())
    plan = choose_plan(base, splits, measured, config)
    left_out = measured.left_out(plan.head)
    assert plan.head.refit == is_solved
    assert (measured.refitted is not None) == is_solved
    assert (left_out is not None) == is_solved
    if left_out is not None:
        assert left_out.shape == (len(splits.validation), 2)
        assert (left_out.argmax(axis=1) == splits.validation.labels).all()
        assert measured.probe(plan.head) is measured.refitted.probe
