"""Encoders that are one layer are opened where that changes nothing."""

import keras
import numpy as np
import pytest

from zoo.graph.unfolding import inner_layers, opener


@keras.saving.register_keras_serializable("tests")
class Encoder(keras.layers.Layer):
    """Some dense layers with a dropout between them, as one layer."""

    def __init__(self, *, prefix="", own=False, answers_twice=False, **options):
        super().__init__(**options)
        self.steps = [keras.layers.Dense(4, name=f"{prefix}step_{i}") for i in range(3)]
        self.dropout = keras.layers.Dropout(0.5)
        self.own, self.answers_twice = own, answers_twice

    def build(self, shape):
        for step in self.steps:
            step.build(shape)
        if self.own:
            self.scale = self.add_weight(shape=(4,), initializer="ones", name="scale")
        self.built = True

    def call(self, inputs, training=None):
        for step in self.steps:
            inputs = self.dropout(step(inputs), training=training)
        if self.answers_twice:
            inputs, _ = inputs, self.undefined(inputs)
        return inputs * self.scale if self.own else inputs

    def undefined(self, inputs):
        if isinstance(inputs, keras.KerasTensor):
            raise TypeError("Not for symbols.")
        return

    def compute_output_spec(self, inputs, training=None):
        return keras.KerasTensor(inputs.shape, inputs.dtype)


def _model(*encoders):
    takes = keras.Input((4,))
    outputs = keras.layers.Dense(4, name="first")(takes)
    for encoder in encoders:
        outputs = encoder(outputs)
    return keras.Model(takes, outputs)


def _opened(model):
    takes = keras.Input((4,))
    outputs = model._run_through_graph([takes], operation_fn=opener(model))
    return keras.Model(takes, outputs)


X = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")


def test_each_layer_inside_is_in_the_graph():
    model = _model(Encoder(name="encoder"))
    opened = _opened(model)
    names = [layer.name for layer in opened.layers]
    assert {"step_0", "step_1", "step_2"} <= set(names)
    assert "encoder" not in names
    inside = [layer.name for layer in inner_layers(model)]
    assert inside == ["step_0", "step_1", "step_2"]
    np.testing.assert_array_equal(opened(X), model(X))
    assert {id(v) for v in opened.weights} == {id(v) for v in model.weights}


def test_dropout_inside_follows_training():
    opened = _opened(_model(Encoder(name="encoder")))
    np.testing.assert_array_equal(opened(X, training=False), opened(X))
    assert np.abs(opened(X, training=True) - opened(X)).max() > 0.1


@pytest.mark.parametrize(
    "encoders",
    [
        (Encoder(name="with_weights", own=True),),
        (Encoder(name="one"), Encoder(name="two")),
    ],
)
def test_own_weights_and_equal_names_stay_whole(encoders):
    model = _model(*encoders)
    assert inner_layers(model) == []
    names = [layer.name for layer in _opened(model).layers]
    assert [encoder.name for encoder in encoders] == names[2:]


def test_different_names_are_opened_side_by_side():
    model = _model(Encoder(name="one", prefix="a_"), Encoder(name="two", prefix="b_"))
    assert len(inner_layers(model)) == 6
    np.testing.assert_array_equal(_opened(model)(X), model(X))


def test_what_symbols_cannot_pass_stays_whole():
    model = _model(Encoder(name="encoder", answers_twice=True))
    opened = _opened(model)
    assert "encoder" in [layer.name for layer in opened.layers]
    np.testing.assert_array_equal(opened(X), model(X))
