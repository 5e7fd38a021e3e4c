"""Freezing holds: frozen blocks do not move, and the published recipe would have."""

import keras
import numpy as np
import pytest

import zoo
from pipelines.errors import TrainingError
from pipelines.training import freezing
from pipelines.training.receipt import measure, refuse_moved, snapshot
from tests.support.tiny_modules import keras_network, save_archive
from zoo.graph.blocks import KeepsStatistics

BATCH = np.random.default_rng(0).integers(0, 256, (32, 32, 32, 3)).astype("uint8")
LABELS = np.arange(32) % 4


@pytest.fixture
def backbone():
    keras.utils.set_random_seed(0)
    return zoo.build("tiny_image", weights=None)


def _classifier(backbone) -> keras.Model:
    x = keras.layers.GlobalAveragePooling2D()(backbone.model.output)
    return keras.Model(backbone.model.input, keras.layers.Dense(4)(x))


def _fit(model: keras.Model) -> None:
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    model.fit(BATCH, LABELS, batch_size=8, epochs=2, verbose=0)


def _movements(backbone, train, *, trainable):
    layers = {block.name: block.layers for block in backbone.blocks}
    before = snapshot(layers)
    train()
    return {one.block: one for one in measure(before, layers, trainable=trainable)}


def test_frozen_blocks_and_all_statistics_stay_exactly(backbone):
    names = [block.name for block in backbone.blocks]
    upper = names[2:]
    freezing.set_trainable(backbone.blocks, upper, batchnorm="frozen")
    model = freezing.behind_frozen(
        _classifier(backbone), backbone.blocks, 2, pooled_blocks={}
    )
    moved = _movements(backbone, lambda: _fit(model), trainable=upper)
    assert [moved[name].largest_change for name in names[:2]] == [0.0, 0.0]
    assert all(moved[name].largest_change > 0 for name in upper)
    assert all(one.statistics_change == 0.0 for one in moved.values())
    refuse_moved("fine_tune", list(moved.values()), statistics_frozen=True)


def test_the_published_recipe_fails_the_receipt(backbone):
    """`base.trainable` with `base(x, training=False)`, as the Keras guide has it."""
    backbone.model.trainable = True
    pixels = keras.Input((32, 32, 3))
    x = backbone.model(pixels, training=False)
    x = keras.layers.GlobalAveragePooling2D()(x)
    recipe = keras.Model(pixels, keras.layers.Dense(4)(x))
    names = [block.name for block in backbone.blocks]
    moved = _movements(backbone, lambda: _fit(recipe), trainable=names)
    assert moved["stem"].statistics_change > 0
    with pytest.raises(TrainingError, match="BatchNorm statistics by"):
        refuse_moved("recipe", list(moved.values()), statistics_frozen=True)


def test_a_block_that_moved_although_frozen_is_refused(backbone):
    freezing.set_trainable(backbone.blocks, ["block3"], batchnorm="frozen")

    def nudge():
        kernel = backbone.model.get_layer("stem_conv").kernel
        kernel.assign(kernel + 1e-7)

    moved = _movements(backbone, nudge, trainable=["block3"])
    with pytest.raises(TrainingError, match="'stem' moved although it was frozen"):
        refuse_moved("fine_tune", list(moved.values()), statistics_frozen=True)


def test_trained_batchnorm_moves_its_statistics(backbone):
    names = [block.name for block in backbone.blocks]
    freezing.set_trainable(backbone.blocks, names, batchnorm="trained")
    model = _classifier(backbone)
    moved = _movements(backbone, lambda: _fit(model), trainable=names)
    assert moved["stem"].statistics_change > 0
    refuse_moved("scratch", list(moved.values()), statistics_frozen=False)


def test_dropout_in_the_frozen_part_is_off(backbone):
    freezing.set_trainable(backbone.blocks, (), batchnorm="frozen")
    depth = len(backbone.blocks)
    frozen = freezing.behind_frozen(
        _classifier(backbone), backbone.blocks, depth, pooled_blocks={}
    )
    plain = _classifier(backbone)
    first, second = (np.array(frozen(BATCH, training=True)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    noisy = [np.array(plain(BATCH, training=True)) for _ in range(2)]
    assert np.abs(noisy[0] - noisy[1]).max() > 0


@pytest.mark.parametrize("depth", range(5))
def test_a_split_model_computes_the_same(backbone, depth):
    model = _classifier(backbone)
    behind = freezing.behind_frozen(model, backbone.blocks, depth, pooled_blocks={})
    np.testing.assert_allclose(
        behind.predict(BATCH, verbose=0), model.predict(BATCH, verbose=0), atol=1e-6
    )
    assert {id(v) for v in behind.variables} == {id(v) for v in model.variables}


def test_freezing_all_leaves_nothing_to_train(backbone):
    freezing.set_trainable(backbone.blocks, (), batchnorm="frozen")
    assert backbone.model.trainable_variables == []
    freezing.set_trainable(backbone.blocks, ["stem"], batchnorm="frozen")
    assert [v.name for v in backbone.model.trainable_variables] == ["kernel"]


@pytest.mark.parametrize("batchnorm", ["frozen", "trained"])
def test_batchnorm_inside_a_module_is_frozen(tmp_path, batchnorm):
    folder = save_archive(tmp_path, keras_network(32), with_training=True)
    module = zoo.build("tfhub", handle=folder)
    (layer,) = [x for x in module.model.layers if isinstance(x, KeepsStatistics)]
    freezing.set_trainable(module.blocks, ["module"], batchnorm=batchnorm)
    before = [w.numpy().copy() for w in layer.weights]
    _fit(_classifier(module))
    moved = {
        w.name for w, old in zip(layer.weights, before) if (w != old).numpy().any()
    }
    normalized = {w.name for w in (*layer.scales, *layer.statistics)}
    assert len(normalized) == 5  # two scales, two statistics, and the dropout's seed
    if batchnorm == "frozen":
        assert moved == {w.name for w in layer.weights} - normalized != set()
    else:
        assert moved == {w.name for w in layer.weights}


def test_frozen_depth_counts_blocks_before_the_first_trainable(backbone):
    assert freezing.frozen_depth(backbone.blocks, ["block2", "block3"]) == 2
    assert freezing.frozen_depth(backbone.blocks, ["stem"]) == 0
    assert freezing.frozen_depth(backbone.blocks, []) == 4


@pytest.mark.parametrize("tune", ["bias", "norm"])
@pytest.mark.parametrize("batchnorm", ["frozen", "trained"])
def test_tuned_kinds_move_and_everything_else_stays(backbone, tune, batchnorm):
    freezing.set_trainable(
        backbone.blocks, ["block1", "block2"], batchnorm=batchnorm, tune=tune
    )
    before = {id(v): v.numpy() for v in backbone.model.variables}
    model = freezing.behind_frozen(
        _classifier(backbone), backbone.blocks, 1, pooled_blocks={}
    )
    _fit(model)
    moved = {
        (block.name, v.name)
        for block in backbone.blocks
        for v in block.variables
        if np.any(v.numpy() != before[id(v)]) and "seed" not in v.name
    }
    offsets = {(block, "beta") for block in ("block1", "block2")}
    scales = {(block, "gamma") for block in ("block1", "block2")}
    statistics = {
        (block, f"moving_{kind}")
        for block in ("block1", "block2")
        for kind in ("mean", "variance")
    }
    expected = offsets | (scales if tune == "norm" else set())
    assert moved == expected | (statistics if batchnorm == "trained" else set())


def test_a_frozen_block_has_nothing_to_tune(backbone):
    freezing.set_trainable(backbone.blocks, ["block1"], batchnorm="frozen", tune="bias")
    trained = {b.name for b in backbone.blocks for v in b.variables if v.trainable}
    assert trained == {"block1"}
