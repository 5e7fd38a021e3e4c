"""What a training step moves: exactly the blocks that should train, to the last bit."""

import keras
import pytest
import tensorflow as tf

from pipelines.training.freezing import set_trainable
from tests.zoo.contract.subjects import EXAMPLES, checksums, scales, statistics

CLASSES = 3


class SignDescent(keras.optimizers.Optimizer):
    """Moves each weight by the rate, against the sign of its gradient.

    However small a gradient is, its weight moves; so one that stays had none. There are
    no slots, which for the largest backbone would be another 1.4 GB.
    """

    def update_step(self, gradient, variable, learning_rate):
        # Those of embeddings are sparse.
        sign = tf.sign(tf.convert_to_tensor(gradient))
        variable.assign_sub(tf.cast(learning_rate, sign.dtype) * sign)


@pytest.fixture
def step(subject):
    """One step of `fit` on a classifier; gives the weights that it moved, by identity.

    It runs eagerly: the same code as compiled, without the seconds that tracing takes.
    Weights, and what is trainable, are as before when the test ends.
    """
    model = subject.model
    start = [weight.numpy() for weight in model.weights]
    trainable = [layer.trainable for layer in model.layers]
    logits = keras.layers.Dense(CLASSES)(_pooled(model.output))
    classifier = keras.Model(model.input, logits)
    labels = tf.range(EXAMPLES) % CLASSES

    def train(blocks, batchnorm):
        before = checksums(subject.backbone)
        set_trainable(subject.backbone.blocks, blocks, batchnorm=batchnorm)
        classifier.compile(
            SignDescent(1e-3),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            run_eagerly=True,
        )
        head = classifier.layers[-1].kernel.numpy()
        classifier.train_on_batch(subject.inputs, labels)
        assert (classifier.layers[-1].kernel.numpy() != head).any(), "there was no step"
        after = checksums(subject.backbone)
        return {id(w) for w, a, b in zip(model.weights, before, after) if a != b}

    yield train
    for weight, value in zip(model.weights, start):
        weight.assign(value)
    for layer, value in zip(model.layers, trainable):
        layer.trainable = value
        if hasattr(layer, "runs_in_inference"):
            layer.runs_in_inference = False


def _pooled(features):
    pooling = {
        2: keras.layers.Identity,
        3: keras.layers.GlobalAveragePooling1D,
        4: keras.layers.GlobalAveragePooling2D,
    }
    return pooling[len(features.shape)]()(features)


# The weights that a network has for training in which patches are masked.
NEVER_READ = {"mask_token"}


def _should_move(blocks, *, batchnorm):
    """The weights of these blocks that training moves, by identity."""
    layers = [layer for block in blocks for layer in block.layers]
    expected = {
        id(v)
        for x in layers
        for v in x.variables
        if v.trainable and v.name not in NEVER_READ
    }
    if batchnorm == "frozen":
        return expected - {id(v) for x in layers for v in scales(x)}
    return expected | {id(v) for x in layers for v in statistics(x)}


@pytest.mark.family
def test_a_frozen_backbone_stays_as_it_is(subject, step):
    """Bit for bit, and its statistics too."""
    assert _paths(subject.model, step([], "trained")) == []
    assert subject.model.trainable_variables == []


@pytest.mark.family
@pytest.mark.parametrize(
    ("first", "batchnorm"),
    [
        pytest.param("first", "trained", marks=pytest.mark.kinds),
        pytest.param("first", "frozen", marks=pytest.mark.kinds),
        ("middle", "frozen"),
        pytest.param("last", "trained", marks=pytest.mark.kinds),
    ],
)
def test_unfreezing_trains_a_block_and_later_ones(subject, step, first, batchnorm):
    """Every layer is trained in both modes, and the boundary is at three places."""
    blocks = subject.backbone.blocks
    index = {"first": 0, "middle": len(blocks) // 2, "last": len(blocks) - 1}[first]
    expected = _should_move(blocks[index:], batchnorm=batchnorm)
    assert bool(expected) is subject.spec.trainable
    moved = step([block.name for block in blocks[index:]], batchnorm)
    assert _paths(subject.model, moved) == _paths(subject.model, expected)


def _paths(model, identities):
    """Names, so that a failure says which weights they are."""
    return [
        (number, weight.path)
        for number, weight in enumerate(model.weights)
        if id(weight) in identities
    ]
