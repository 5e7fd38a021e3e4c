"""BatchNorm folded into convolutions is the same function, and trains the same."""

import os

import keras
import numpy as np
import pytest

import zoo
from tests.support import residuals
from zoo.graph.folding import folded, folded_copy

layers = keras.layers
RANDOM = np.random.default_rng(0)
NORM = "BatchNormalization"
MAPS = RANDOM.normal(size=(8, 12, 12, 6)).astype("float32")
SERIES = RANDOM.normal(size=(8, 24, 6)).astype("float32")
LABELS = np.arange(8) % 3


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    keras.utils.set_random_seed(0)


def _norm(**options) -> keras.layers.BatchNormalization:
    """One that changes what it gets, as those of trained networks do."""
    options = {"trainable": False, **options}
    between = keras.initializers.RandomUniform(0.3, 2.0, seed=1)
    around = keras.initializers.RandomNormal(stddev=0.5, seed=2)
    return layers.BatchNormalization(
        **{
            "moving_mean_initializer": around,
            "moving_variance_initializer": between,
            "gamma_initializer": between,
            "beta_initializer": around,
            **options,
        }
    )


def _network(*stack, given=MAPS) -> keras.Model:
    inputs = keras.Input(given.shape[1:])
    found = inputs
    for layer in stack:
        found = layer(found)
    return keras.Model(inputs, found)


def _kinds(model: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers[1:]]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("convolution", "given"),
    [
        (lambda **o: layers.Conv2D(5, 3, strides=2, padding="same", **o), MAPS),
        (lambda **o: layers.Conv2D(4, 3, dilation_rate=2, groups=2, **o), MAPS),
        (lambda **o: layers.DepthwiseConv2D(3, depth_multiplier=2, **o), MAPS),
        (lambda **o: layers.SeparableConv2D(5, 3, padding="same", **o), MAPS),
        (lambda **o: layers.SeparableConv2D(5, 5, strides=2, **o), MAPS),
        (lambda **o: layers.Conv1D(5, 3, **o), SERIES),
        (lambda **o: layers.DepthwiseConv1D(3, strides=2, **o), SERIES),
        (lambda **o: layers.SeparableConv1D(5, 3, **o), SERIES),
    ],
)
@pytest.mark.parametrize("norm", [{}, {"scale": False}, {"center": False}])
def test_every_kind_gives_the_same(convolution, given, bias, norm):
    one = convolution(use_bias=bias, bias_initializer="random_normal")
    model = _network(one, _norm(**norm), layers.ReLU(), given=given)
    wanted = model(given, training=False)
    for same in (folded(model), folded_copy(model)):
        assert NORM not in _kinds(same)
        np.testing.assert_allclose(same(given, training=False), wanted, atol=2e-5)


class _Own(layers.Conv2D):
    """A convolution of somebody's own, which may do anything in its call."""


@pytest.mark.parametrize(
    ("stack", "given"),
    [
        ([layers.Conv2D(4, 3, activation="relu"), _norm()], MAPS),
        ([layers.Conv2D(4, 3), layers.ReLU(), _norm()], MAPS),
        ([layers.Conv1D(4, 3, padding="causal"), _norm()], SERIES),
        ([_Own(4, 3), _norm()], MAPS),
        ([layers.Conv2D(4, 3), _norm(axis=1)], MAPS),
        ([layers.Dense(4), _norm()], MAPS),
    ],
)
def test_other_pairs_stay_as_they_are(stack, given):
    model = _network(*stack, given=given)
    assert folded(model) is model
    assert folded_copy(model) is model


def test_what_others_read_too_stays_as_it_is():
    inputs = keras.Input(MAPS.shape[1:])
    found = layers.Conv2D(4, 3)(inputs)
    norm = _norm()
    model = keras.Model(inputs, layers.Multiply()([norm(found), found]))
    assert folded(model) is model
    model = keras.Model(inputs, [norm(found), found])
    assert folded(model) is model


def test_layers_called_twice_stay_unfolded():
    inputs = keras.Input(MAPS.shape[1:])
    convolution, norm = layers.Conv2D(6, 3, padding="same"), _norm()
    twice = keras.Model(inputs, norm(convolution(norm(convolution(inputs)))))
    assert folded(twice) is twice


def test_batchnorm_that_trains_is_folded_in_inference_alone():
    model = _network(layers.Conv2D(4, 3), _norm(trainable=True))
    assert folded(model) is model
    assert NORM not in _kinds(folded(model, in_inference=True))


def test_folded_model_follows_weights_unlike_a_copy():
    convolution, norm = layers.Conv2D(4, 3), _norm()
    model = _network(convolution, norm)
    follows, copy = folded(model), folded_copy(model)
    before = np.asarray(model(MAPS, training=False))
    for variable in (convolution.kernel, norm.gamma, norm.moving_mean):
        variable.assign(variable + 0.5)
    after = model(MAPS, training=False)
    np.testing.assert_allclose(follows(MAPS, training=False), after, atol=2e-5)
    np.testing.assert_allclose(copy(MAPS, training=False), before, atol=2e-5)


def _trained(model: keras.Model) -> list[float]:
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    return [float(model.train_on_batch(MAPS, LABELS)) for _ in range(5)]


@pytest.mark.parametrize(
    "second",
    [
        lambda: layers.DepthwiseConv2D(3),
        lambda: layers.DepthwiseConv2D(5, strides=2, padding="same"),
        lambda: layers.SeparableConv2D(6, 5, strides=2),
    ],
)
def test_it_trains_the_same(second):
    stack = [
        *(layers.Conv2D(6, 3), _norm(), layers.ReLU()),
        *(second(), _norm(), layers.ReLU()),
        *(layers.GlobalAveragePooling2D(), layers.Dense(3)),
    ]
    model = _network(*stack)
    start = model.get_weights()
    losses = _trained(model)
    ends = model.get_weights()
    model.set_weights(start)
    same = folded(model)
    assert [id(v) for v in same.trainable_variables] == [
        id(v) for v in model.trainable_variables
    ]
    np.testing.assert_allclose(_trained(same), losses, rtol=1e-5)
    assert losses[-1] < losses[0]
    for found, wanted in zip(model.get_weights(), ends):
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_filters_are_scaled_before_they_are_rounded():
    """In bfloat16 rounded factors have another product."""
    convolution = layers.Conv2D(64, 1, use_bias=False, dtype="mixed_bfloat16")
    norm = _norm(center=False, moving_mean_initializer="zeros", dtype="mixed_bfloat16")
    model = _network(convolution, norm, given=MAPS[..., :1])
    found = folded(model)(np.ones((1, 12, 12, 1)))[0, 0, 0]
    scale = keras.ops.rsqrt(norm.moving_variance + norm.epsilon) * norm.gamma
    filters = convolution.kernel[0, 0, 0]

    def rounded(values):
        return keras.ops.cast(values, "bfloat16")

    assert keras.ops.all(found == rounded(filters * scale))
    assert not keras.ops.all(found == rounded(filters) * rounded(scale))


@pytest.mark.parametrize("block", residuals.BLOCKS)
def test_additions_of_maps_give_the_same(block):
    model = residuals.network(block)
    given = MAPS[:, :6, :6, :4]
    wanted = model(given, training=False)
    for same in (folded(model), folded_copy(model)):
        assert "Apart" in _kinds(same)
        np.testing.assert_allclose(same(given, training=False), wanted, atol=2e-5)


def test_an_addition_leaves_the_format_as_it_is():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = residuals.network(residuals.with_norm)
    finally:
        keras.config.set_dtype_policy(before)
    assert folded(model).output.dtype == model.output.dtype == "bfloat16"


# NASNet takes as long as all others. Its convolutions are those of Xception, and what
# others read too stays above.
IN_ALL = ["nasnet_mobile"] if os.environ.get("CONTRACT") == "all" else []


@pytest.mark.parametrize("name", ["efficientnet_lite0", "xception", *IN_ALL])
def test_a_whole_network_gives_the_same(name):
    size = 224 if name == "nasnet_mobile" else 96
    model = zoo.build(name, weights=None, input_size_px=size).model
    pixels = RANDOM.integers(0, 256, (2, size, size, 3)).astype("uint8")
    wanted = np.asarray(model(pixels, training=False))
    for same in (folded(model, in_inference=True), folded_copy(model)):
        found = np.asarray(same(pixels, training=False))
        assert np.abs(found - wanted).max() < 1e-5 * np.abs(wanted).max()
        # Of NASNet a few read what others read too.
        assert _kinds(same).count(NORM) < 0.05 * _kinds(model).count(NORM)
