"""The number format of layers, and the formats that a machine is fast in."""

import keras
import pytest
import tensorflow as tf

from pipelines.runtime import devices
from pipelines.runtime.precision import may_use_xla, precision, shorter_format


@pytest.mark.parametrize(
    ("name", "policy"), [("auto", "float32"), ("mixed_bfloat16", "mixed_bfloat16")]
)
def test_layers_made_inside_compute_in_it(name, policy):
    before = keras.config.dtype_policy()
    with precision(name):
        assert keras.layers.Dense(1).dtype_policy.name == policy
    assert keras.config.dtype_policy() is before


def test_the_policy_comes_back_after_an_error():
    before = keras.config.dtype_policy()
    with pytest.raises(KeyError), precision("mixed_float16"):
        raise KeyError
    assert keras.config.dtype_policy() is before


@pytest.mark.parametrize(
    ("formats", "shorter"), [(("mixed_bfloat16",), "mixed_bfloat16"), ((), None)]
)
def test_a_processor_takes_what_it_has_units_for(monkeypatch, formats, shorter):
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("a GPU decides")
    asked = []

    def of(capability=None):
        asked.append(capability)
        return formats

    monkeypatch.setattr(devices, "mixed_precisions", of)
    assert shorter_format() == shorter
    assert asked == [None]
    assert not may_use_xla()
