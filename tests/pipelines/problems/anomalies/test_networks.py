"""Networks of every row give back series of any length and number of channels."""

import keras
import numpy as np
import pytest

from pipelines.problems.anomalies.networks import NETWORKS


@pytest.mark.parametrize("codes", [1, 2])
@pytest.mark.parametrize(("length", "channels"), [(8, 1), (61, 3)])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_go_to_a_code_and_back(name, length, channels, codes):
    encoder, decoder = NETWORKS[name](length, channels, codes=codes)
    assert encoder.input_shape == (None, length, channels)
    assert decoder.output_shape == (None, length, channels)
    assert encoder.output_shape[-1] == codes * decoder.input_shape[-1]
    assert encoder.output_shape[:-1] == decoder.input_shape[:-1]
    series = np.ones((2, length, channels), np.float32)
    code = keras.ops.split(encoder(series), codes, axis=-1)[0]
    assert np.isfinite(decoder(code)).all()
