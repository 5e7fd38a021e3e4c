"""From features to one vector for each example, on numbers that are done by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from pipelines.errors import ConfigError
from pipelines.features.pooling import (
    GridPooling,
    Standardize,
    TokenPooling,
    pool_block,
    pooling_layers,
    token_average,
)
from pipelines.planning.plan import HeadPlan


def _plan(pooling):
    return HeadPlan(
        reads=("block2",),
        grid=1,
        standardized=False,
        pooling=pooling,
        recurrent_units=3,
        hidden_units=(),
        dropout=0.0,
        init="zeros",
    )


TOKENS = np.array(
    [[[1, 2], [3, -4], [0, 0]], [[0, 0], [0, 0], [0, 0]]], dtype=np.float32
)


@pytest.mark.parametrize(
    ("mode", "pooled"), [("average", [[2, -1], [0, 0]]), ("max", [[3, 2], [0, 0]])]
)
def test_token_pooling_ignores_padding(mode, pooled):
    np.testing.assert_allclose(TokenPooling(mode)(TOKENS), pooled)


def test_another_mode_is_refused():
    with pytest.raises(ValueError, match="'average' or 'max'"):
        TokenPooling("sum")


def test_a_grid_averages_its_cells_side_by_side():
    image = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    np.testing.assert_allclose(GridPooling(2)(image), [[2.5, 4.5, 10.5, 12.5]])
    series = np.arange(5, dtype=np.float32).reshape(1, 5, 1)
    # Of an odd side the cells overlap by one.
    np.testing.assert_allclose(GridPooling(2)(series), [[1, 3]])


def test_a_side_shorter_than_the_grid():
    image = np.array([[[[1.0], [3.0]]]], np.float32)
    np.testing.assert_allclose(GridPooling(2)(image), [[1, 3]])


def test_standardized_features_are_never_trained():
    layer = Standardize()
    layer.build((None, 2))
    layer.set_weights([np.array([1, 2]), np.array([2, 4])])
    np.testing.assert_allclose(layer(np.array([[3.0, 2.0]])), [[1, 0]])
    assert layer.trainable_weights == []


def test_sides_unknown_to_a_graph_are_known():
    layer, series = GridPooling(2), np.arange(12, dtype="float32").reshape(2, 3, 2)
    wanted = layer(series)
    unknown = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 2])])
    np.testing.assert_array_equal(unknown(series), wanted)


@pytest.mark.parametrize("layer", [TokenPooling("max"), GridPooling(2), Standardize()])
def test_a_saved_layer_is_the_same(layer):
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert again.get_config() == layer.get_config()


def test_a_block_is_read_as_one_vector():
    blocks = zoo.build("tiny_image", weights=None, input_size_px=16).blocks
    assert pool_block(blocks[0], grid=1, name="one").shape == (None, 16)
    assert pool_block(blocks[0], grid=2, name="four").shape == (None, 4 * 16)


def test_a_vector_stays_as_it_is():
    vector = keras.Input((5,))
    assert token_average(vector) is vector
    fixed, trained = pooling_layers(vector, _plan("max"), modality="image")
    assert [type(layer) for layer in fixed] == [keras.layers.Identity]
    assert trained == []


@pytest.mark.parametrize("pooling", ["rnn", "gru", "lstm", "bigru", "bilstm"])
def test_a_recurrent_layer_reads_the_words_in_order(pooling):
    sequence = keras.Input((3, 2))
    fixed, (recurrent,) = pooling_layers(sequence, _plan(pooling), modality="text")
    assert recurrent.name == "pooled"
    model = keras.Model(sequence, recurrent(fixed[0](sequence)))
    assert model.output_shape == (None, 6 if pooling.startswith("bi") else 3)
    text, backwards = TOKENS[:1], TOKENS[:1, [1, 0, 2]]
    longer = np.concatenate([text, np.zeros((1, 2, 2), np.float32)], axis=1)
    assert not np.allclose(model(text), model(backwards))
    padded = keras.Input((5, 2))
    padded_model = keras.Model(padded, recurrent(fixed[0](padded)))
    np.testing.assert_allclose(padded_model(longer), model(text), atol=1e-6)


def test_a_recurrent_layer_needs_a_sequence():
    image = keras.Input((4, 4, 2))
    with pytest.raises(ConfigError, match="'gru' reads a sequence"):
        pooling_layers(image, _plan("gru"), modality="image")


@pytest.mark.parametrize("side", [2, 3, 5, 8])
def test_grid_cells_are_averages_of_their_corners(side):
    maps = np.random.default_rng(0).normal(size=(2, side, side, 3)).astype(np.float32)
    half = -(-side // 2)
    found = np.array(GridPooling(2)(maps))
    first, last = maps[:, :half, :half], maps[:, -half:, -half:]
    assert found.shape == (2, 12)
    np.testing.assert_allclose(found[:, :3], first.mean(axis=(1, 2)), atol=1e-6)
    np.testing.assert_allclose(found[:, -3:], last.mean(axis=(1, 2)), atol=1e-6)


def test_a_map_without_room_for_cells_is_one():
    maps = np.ones((2, 1, 1, 3), np.float32)
    assert GridPooling(2)(maps).shape == (2, 3)
    assert GridPooling(2)(np.ones((2, 6, 3), np.float32)).shape == (2, 6)
