"""New blocks start as identity, train, keep padding, and are saved with a model."""

import keras
import numpy as np
import pytest

from pipelines.errors import ConfigError
from pipelines.features.new_blocks import ResidualBlock, TokenBlock, new_blocks

RANDOM = np.random.default_rng(0)
MAPS = RANDOM.normal(size=(4, 5, 5, 8)).astype(np.float32)
SERIES = RANDOM.normal(size=(4, 6, 8)).astype(np.float32)
TEXTS = SERIES * (np.arange(6) < [[6], [3], [1], [0]])[..., None].astype(np.float32)
CASES = [
    (MAPS, "image", ResidualBlock),
    (SERIES, "series", ResidualBlock),
    (TEXTS, "text", TokenBlock),
]


def _stack(values, modality):
    inputs = keras.Input(values.shape[1:])
    blocks = new_blocks(inputs, count=2, modality=modality)
    return keras.Model(inputs, blocks[1](blocks[0](inputs))), blocks


@pytest.mark.parametrize(("values", "modality", "kind"), CASES)
def test_blocks_start_as_identity(values, modality, kind):
    model, blocks = _stack(values, modality)
    assert [type(block) for block in blocks] == [kind, kind]
    np.testing.assert_array_equal(model(values), values)


@pytest.mark.parametrize(("values", "modality", "kind"), CASES)
def test_trained_blocks_survive_saving(tmp_path, values, modality, kind):
    model, _ = _stack(values, modality)
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
    model.fit(values, -values, epochs=2, verbose=0)
    trained = model.predict(values, verbose=0)
    assert np.abs(trained - values).max() > 0
    assert np.isfinite(trained).all()
    padding = (values == 0).all(axis=-1)
    assert not trained[padding].any()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(values, verbose=0), trained)


def test_padding_does_not_change_other_tokens():
    model, blocks = _stack(TEXTS, "text")
    for block in blocks:
        for layer in (block.attended, block.outer):
            layer.kernel.assign(RANDOM.normal(size=layer.kernel.shape))
    longer = np.pad(TEXTS, ((0, 0), (0, 3), (0, 0)))
    block = blocks[0]
    np.testing.assert_allclose(block(longer)[:, :6], block(TEXTS), atol=1e-5)


def test_vector_has_no_places_for_blocks():
    with pytest.raises(ConfigError, match="conv_blocks is 1, and the backbone gives a"):
        new_blocks(keras.Input((8,)), count=1, modality="text")
