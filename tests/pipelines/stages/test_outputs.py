"""Logits and features of splits: every example once, in order, whoever reads them."""

import numpy as np
import pytest

import zoo
from pipelines.data.splits import ImageArray, Split
from pipelines.planning.plan import HeadPlan
from pipelines.stages.head import add_head
from pipelines.stages.outputs import OutputRequest, fingerprint, outputs


def _split(name, count, seed):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, 16, 16, 3), np.uint8)
    return Split(name, ImageArray(pixels), np.arange(count) % 3)


@pytest.fixture(scope="module")
def model():
    plan = HeadPlan(
        reads=("block3",),
        grid=1,
        standardized=False,
        pooling="average",
        recurrent_units=1,
        hidden_units=(),
        dropout=0.5,
        init="epsilon",
    )
    base = zoo.build("tiny_image", weights=None, input_size_px=16)
    return add_head(base, classes=3, plan=plan)


def test_splits_are_read_together_and_given_apart(model):
    splits = [_split("validation", 5, 0), _split("test", 4, 1)]
    read = outputs(model, splits, batch_size=3)
    assert [one.split for one in read] == ["validation", "test"]
    for one, split in zip(read, splits, strict=True):
        np.testing.assert_array_equal(one.labels, split.labels)
        wanted = model.model(split.inputs.pixels, training=False)
        np.testing.assert_allclose(one.logits, wanted, atol=1e-6)
        assert one.features.shape == (len(split), 32)


def test_some_rows_and_only_their_features(model):
    split = _split("train", 6, 2)
    rows = np.array([4, 1])
    whole, some = outputs(
        model, [split, OutputRequest(split, rows, only_features=True)], batch_size=4
    )
    np.testing.assert_allclose(some.features, whole.features[rows], atol=1e-6)
    np.testing.assert_array_equal(some.labels, split.labels[rows])
    assert some.logits.shape == (0, 3)


def test_a_fingerprint_is_of_the_weights(model):
    before = fingerprint(model.backbone)
    assert fingerprint(model.backbone) == before
    kernel = model.backbone.model.trainable_variables[0]
    value = np.array(kernel)
    kernel.assign(value + 1e-6)
    assert fingerprint(model.backbone) != before
    kernel.assign(value)
    assert fingerprint(model.backbone) == before
