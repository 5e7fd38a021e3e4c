"""Factors of low rank train alone, and nothing of them is left when they are merged."""

import dataclasses
import gc

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import pipelines
import zoo
from pipelines.config import FinetuneConfig
from pipelines.training import freezing, lora
from pipelines.training.receipt import measure, snapshot

WIDTH, HEADS, WIDE, RANK, WORDS = 16, 2, 24, 2, 1024
TEXTS = np.array(["one two three", "four five", "six", "seven eight nine ten"])
LABELS = np.array([0, 1, 0, 1])


def _network(spec, ids, weights_file):
    """A small transformer; features are zeros where there is no token."""
    is_token = ops.expand_dims(ops.cast(ops.not_equal(ids, 0), "float32"), -1)
    x = layers.Embedding(spec.token_ids, WIDTH, name="embedding")(ids)
    x = layers.Multiply(name="embedded")([x, is_token])
    y = layers.MultiHeadAttention(HEADS, WIDTH // HEADS, name="attention")(x, x)
    x = layers.Add(name="attended")([x, y])
    y = layers.LayerNormalization(name="norm")(x)
    y = layers.Dense(WIDE, activation="relu", name="widen")(y)
    y = layers.Dense(WIDTH, name="narrow")(y)
    x = layers.Add(name="transformed")([x, y])
    return layers.Multiply(name="tokens")([x, is_token])


@pytest.fixture(scope="module", autouse=True)
def _registered():
    spec = dataclasses.replace(
        zoo.get_spec("tiny_text"),
        name="lora_text",
        source="lora_text",
        handle="lora_text",
        feature_width=WIDTH,
        blocks=(
            zoo.Boundary("embedding", "embedded"),
            zoo.Boundary("attention", "attended"),
            zoo.Boundary("transform", "output"),
        ),
    )
    zoo.register(spec, network=_network)
    yield
    zoo.unregister("lora_text")


@pytest.fixture
def backbone():
    keras.utils.set_random_seed(0)
    return zoo.build("lora_text", weights=None, input_length=8)


def _attach(backbone, *trainable):
    freezing.set_trainable(backbone.blocks, trainable, batchnorm="frozen")
    lora.attach(backbone.blocks, trainable, rank=RANK, seed=0)


def _features(backbone):
    return backbone.model(tf.constant(TEXTS), training=False).numpy()


def _predicted(model):
    """The same from a graph, which is traced the first time."""
    return model.predict(tf.data.Dataset.from_tensors((TEXTS,)), verbose=0)


def _disturb(backbone):
    """Other factors than those that change nothing."""
    rng = np.random.default_rng(0)
    for variable in backbone.model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape, scale=0.3))


def test_attach_trains_factors_that_change_nothing_yet(backbone):
    before = _features(backbone)
    _attach(backbone, "attention", "transform")
    np.testing.assert_array_equal(_features(backbone), before)
    shapes = [tuple(v.shape) for v in backbone.model.trainable_variables]
    per_head = WIDTH // HEADS
    project = [(WIDTH, HEADS, RANK), (RANK, per_head)]
    back = [(HEADS, per_head, RANK), (RANK, WIDTH)]
    dense = [(WIDTH, RANK), (RANK, WIDE), (WIDE, RANK), (RANK, WIDTH)]
    assert sorted(shapes) == sorted([*project * 3, *back, *dense])
    embedding = backbone.blocks[0].layers[-2]
    assert not embedding.lora_enabled


def test_merge_keeps_the_function_and_removes_factors(
    backbone,
):
    names = backbone.spec.block_names
    plain = [id(v) for v in backbone.model.weights]
    untouched = _features(backbone)
    _attach(backbone, *names)
    assert len(backbone.model.weights) > len(plain)
    assert len(backbone.model.trainable_variables) == 2 * 7
    _disturb(backbone)
    with_factors = _features(backbone)
    traced = _predicted(backbone.model)
    lora.merge(backbone.blocks)
    merged = _features(backbone)
    assert np.abs(merged - untouched).max() > 0.1
    np.testing.assert_allclose(merged, with_factors, atol=1e-5)
    # Also in a graph that was traced while there were factors.
    np.testing.assert_allclose(traced, with_factors, atol=1e-5)
    np.testing.assert_allclose(_predicted(backbone.model), with_factors, atol=1e-5)
    assert [id(v) for v in backbone.model.weights] == plain
    configs = [layer.get_config() for layer in backbone.model.layers]
    assert not any(config.get("lora_rank") for config in configs)
    freezing.set_trainable(backbone.blocks, names, batchnorm="frozen")
    assert len(backbone.model.trainable_variables) == len(plain)


def test_merging_collects_all_garbage_once(backbone):
    """And not once for each factor, as Keras would."""
    _attach(backbone, *backbone.spec.block_names)
    gc.unfreeze()  # a part of the gate begins with what it was forked with frozen
    frozen = []

    def watch(phase, info):
        if phase == "start" and info["generation"] == 2:
            frozen.append(gc.get_freeze_count())

    gc.callbacks.append(watch)
    try:
        lora.merge(backbone.blocks)
        merged = len(frozen)
        lora.merge(backbone.blocks)  # there are no factors any more
    finally:
        gc.callbacks.remove(watch)
    assert len(frozen) == merged >= 1 + 2 * 7
    assert [count for count in frozen if count == 0] == [0]
    assert gc.get_freeze_count() == 0


def test_merged_weights_are_those_of_the_plain_network(backbone, tmp_path):
    _attach(backbone, *backbone.spec.block_names)
    _disturb(backbone)
    lora.merge(backbone.blocks)
    path = tmp_path / "backbone.weights.h5"
    backbone.model.save_weights(path)
    again = zoo.build("lora_text", weights=path, input_length=8)
    np.testing.assert_array_equal(_features(again), _features(backbone))


def test_the_receipt_is_the_same_after_merging(backbone):
    by_block = {block.name: block.layers for block in backbone.blocks}
    trained = ("attention", "transform")
    before = snapshot(by_block)
    old = backbone.model.get_layer("widen").kernel.numpy()
    _attach(backbone, *trained)
    pooled = layers.GlobalAveragePooling1D()(backbone.model.output)
    model = keras.Model(backbone.model.input, layers.Dense(2)(pooled))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.1), loss, jit_compile=False)
    model.fit(
        tf.data.Dataset.from_tensors((TEXTS, LABELS)),
        epochs=3,
        verbose=0,
        shuffle=False,
    )
    with_factors = measure(before, by_block, trainable=trained)
    lora.merge(backbone.blocks)
    merged = measure(before, by_block, trainable=trained)
    for ours, theirs in zip(with_factors, merged, strict=True):
        assert ours.largest_change == pytest.approx(theirs.largest_change)
        assert ours.relative_change == pytest.approx(theirs.relative_change)
    changes = {one.block: one.largest_change for one in merged}
    assert changes["embedding"] == 0.0
    widen = backbone.model.get_layer("widen")
    dense = np.abs(widen.kernel.numpy() - old)
    assert 0 < dense.max() <= changes["transform"]
    assert np.linalg.matrix_rank(widen.kernel.numpy() - old, tol=1e-5) == RANK
    assert np.abs(widen.bias.numpy()).max() == 0.0


def test_a_convolutional_network_has_no_adaptable_layer():
    image = zoo.build("tiny_image", weights=None)
    assert [lora.adaptable_layers(block) for block in image.blocks] == [[]] * 4


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two phases of low rank, one after the other."""
    folder = tmp_path_factory.mktemp("lora")
    rng = np.random.default_rng(0)
    own = [[f"{kind}{i}" for i in range(12)] for kind in "ab"]
    labels = np.arange(160) % 2
    texts = [
        " ".join([str(i), *rng.choice(own[label], 2), *rng.choice(own[0] + own[1], 3)])
        for i, label in enumerate(labels)
    ]
    np.savez(folder / "texts.npz", x=np.array(texts), y=labels)
    return pipelines.fine_tune(
        f"npz:{folder}/texts.npz",
        backbone="lora_text",
        weights="none",
        strategy="full",
        workdir=folder / "run",
        finetune=FinetuneConfig(
            epochs=4,
            unfreezing_steps=2,
            lora_rank=RANK,
            learning_rate=0.02,
            guard=False,
        ),
    )


def test_a_run_with_factors_saves_plain_weights(run):
    head, *tuned = [phase["trained_parameters"] for phase in run.report["phases"]]
    dense = RANK * 2 * (WIDTH + WIDE)
    attention = RANK * (3 * (WIDTH * HEADS + WIDTH // HEADS) + 2 * WIDTH)
    embedding = RANK * (WORDS + WIDTH)
    assert tuned == [head + dense, head + dense + attention + embedding]
    assert run.report["parity"]["largest_difference"] <= 1e-4
    kept = run.workdir / "checkpoints" / run.report["backbone"]["file"]
    again = zoo.build("lora_text", weights=kept)
    ours = {v.path: v for v in again.model.weights}
    assert not any("lora" in path for path in ours)
    trained = keras.Model(run.model.input, run.model.get_layer("tokens").output)
    np.testing.assert_allclose(
        _predicted(again.model),
        _predicted(trained),
        atol=1e-5,
    )


def test_the_receipt_of_a_run_has_kernel_changes(run):
    moved = [
        [one["block"] for one in run.report["receipt"][name] if one["largest_change"]]
        for name in ("fine_tune_1_of_2", "fine_tune_2_of_2")
    ]
    every = ["embedding", "attention", "transform", "head"]
    assert moved == [every[2:], every]
