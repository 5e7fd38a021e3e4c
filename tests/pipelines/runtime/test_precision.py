import keras
import pytest

from pipelines.runtime import precision


@pytest.mark.parametrize(
    ("name", "policy"), [("auto", "float32"), ("mixed_bfloat16", "mixed_bfloat16")]
)
def test_precision_holds_inside_and_comes_back(name, policy):
    before = keras.config.dtype_policy().name
    with precision.precision(name):
        assert keras.config.dtype_policy().name == policy
    assert keras.config.dtype_policy().name == before
