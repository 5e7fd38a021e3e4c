import keras
import numpy as np
import pytest

from pipelines.errors import ConfigError
from pipelines.methods.meta import saved
from pipelines.methods.meta.learned_optimizer import LearnedOptimizer
from pipelines.methods.meta.update_rule import new_rule


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype("int64")


def model_with(optimizer):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, "relu"), keras.layers.Dense(2)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss)
    return model


def test_loaded_model_goes_on_as_before(tmp_path, data):
    model = model_with(LearnedOptimizer(new_rule(1), learning_rate=2.0))
    model.fit(*data, epochs=2, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again.optimizer, LearnedOptimizer)
    assert float(again.optimizer.learning_rate) == 2.0
    for one in (model, again):
        one.fit(*data, epochs=1, shuffle=False, verbose=0)
    for before, after in zip(model.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(before, after)
    untrained = model_with("sgd").get_weights()[0]
    assert np.abs(model.get_weights()[0] - untrained).max() > 0


def test_copies_have_the_same_rule():
    optimizer = LearnedOptimizer(new_rule(2))
    copy = LearnedOptimizer.from_config(optimizer.get_config())
    assert copy.rule.encoded() == optimizer.rule.encoded()


def test_sparse_gradients_of_an_embedding_train():
    model = keras.Sequential([keras.layers.Embedding(5, 2), keras.layers.Flatten()])
    model.compile(optimizer=LearnedOptimizer(new_rule(0)), loss="mse")
    history = model.fit(np.array([[0], [4]]), np.ones((2, 2)), verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_load_reads_no_other_file(tmp_path):
    rule = new_rule(4)
    saved.save_rule(tmp_path / "optimizer.npz", rule)
    loaded = LearnedOptimizer.load(tmp_path / "optimizer.npz", clipnorm=1.0)
    assert loaded.rule.encoded() == rule.encoded()
    assert loaded.clipnorm == 1.0
    np.savez(tmp_path / "other.npz", about=np.array('{"method": "protonet"}'))
    for name in ("other.npz", "missing.npz"):
        with pytest.raises(ConfigError, match=f"{name} cannot be read as the rule"):
            LearnedOptimizer.load(tmp_path / name)
