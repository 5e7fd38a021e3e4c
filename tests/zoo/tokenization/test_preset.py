"""The tokenizer of a preset gives ids with their mask, in a graph."""

import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from tests.support import tiny_presets
from zoo.errors import BackboneError
from zoo.tokenization.preset import PresetTokenizer, preprocessor

TEXTS = tf.constant(["an anchor and", "", "and a rope " * 9])


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return tiny_presets.save_text(tmp_path_factory.mktemp("presets") / "bert", "bert")


def test_ids_have_their_mask_and_length(bert):
    ids = PresetTokenizer(preset=str(bert), length=6)(TEXTS)
    assert set(ids) == {"token_ids", "padding_mask", "segment_ids"}
    assert {tensor.shape for tensor in ids.values()} == {(3, 6)}
    assert {tensor.dtype for tensor in ids.values()} == {tf.int32}
    assert ids["padding_mask"].numpy().sum(axis=1).tolist() == [5, 2, 6]


def test_layer_comes_back_from_its_config(bert):
    layer = PresetTokenizer(preset=str(bert), length=6)
    again = PresetTokenizer.from_config(layer.get_config())
    for name, ids in layer(TEXTS).items():
        np.testing.assert_array_equal(ids, again(TEXTS)[name])


def test_preset_without_tokenizer_is_refused(tmp_path):
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=9,
        num_layers=1,
        num_heads=1,
        hidden_dim=4,
        intermediate_dim=4,
        max_sequence_length=8,
    )
    backbone.save_to_preset(str(tmp_path))
    with pytest.raises(BackboneError, match="KerasHub cannot load the preset in"):
        preprocessor(str(tmp_path), length=4)
