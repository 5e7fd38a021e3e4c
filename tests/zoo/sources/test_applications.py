"""The rows of Keras Applications say what the source of Keras says."""

import inspect
import sys

import keras
import numpy as np
import pytest

import zoo
from zoo.catalog import CATALOG
from zoo.graph import preprocessing
from zoo.sources import applications

APPLICATIONS = [spec.name for spec in CATALOG if spec.source == "applications"]
# The smallest of each family of Keras Applications.
FAMILIES = [
    "xception",
    "inception_v3",
    "inception_resnet_v2",
    "mobilenet_v3_small",
    "convnext_tiny",
    "vgg16",
    "resnet50",
    "resnet50_v2",
    "mobilenet",
    "mobilenet_v2",
    "densenet121",
    "nasnet_mobile",
    "efficientnet_b0",
    "efficientnet_v2_b0",
]


def _keras_module(name):
    """The module of Keras that defines a network, and its constructor."""
    constructor = getattr(keras.applications, zoo.get_spec(name).handle)
    return sys.modules[constructor.__module__], constructor


@pytest.mark.parametrize("name", APPLICATIONS)
def test_pixels_equal_those_of_keras_applications(name):
    module, _ = _keras_module(name)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype("float32")
    # `preprocess_input` overwrites its argument.
    expected = module.preprocess_input(pixels.copy())
    ours = preprocessing.layer(zoo.get_spec(name).input.pixels)(pixels)
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("efficientnet_lite0", lambda pixels: (pixels - 127) / 128),
        ("efficientnet_lite1", lambda pixels: (pixels - 127) / 128),
        ("efficientnet_lite2", lambda pixels: (pixels - 127) / 128),
        ("tiny_image", lambda pixels: pixels / 127.5 - 1),
    ],
)
def test_pixels_equal_those_of_other_sources(name, expected):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype("float32")
    ours = preprocessing.layer(zoo.get_spec(name).input.pixels)(pixels)
    np.testing.assert_allclose(ours, expected(pixels), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_minimum_size_is_that_of_keras(name):
    """Building at the minimum is part of the contract above."""
    _, constructor = _keras_module(name)
    size = zoo.get_spec(name).input.minimum_size_px - 1
    with pytest.raises(ValueError, match="at least"):
        constructor(include_top=False, weights=None, input_shape=(size, size, 3))


@pytest.mark.parametrize("name", APPLICATIONS)
def test_weight_hash_is_in_the_source_of_keras(name):
    module, _ = _keras_module(name)
    weights = zoo.get_spec(name).weights
    digest = weights.sha256 or weights.md5
    if name in ("mobilenet", "mobilenet_v2"):
        assert digest is None
        assert "file_hash" not in inspect.getsource(module)
    else:
        hashes = inspect.getsource(module)
        hashes += inspect.getsource(sys.modules["keras.src.applications.resnet"])
        assert digest in hashes


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_weight_file_is_the_one_that_keras_fetches(name, monkeypatch):
    module, constructor = _keras_module(name)
    spec = zoo.get_spec(name)
    size = spec.input.default_size_px

    class Fetched(Exception):
        pass

    def fetch(file_name, url, *, cache_subdir, file_hash=None):
        raise Fetched(file_name, url, cache_subdir, file_hash)

    # ResNetV2 is built, and its weights are fetched, by the module of ResNet.
    fetching = getattr(module, "resnet", module)
    monkeypatch.setattr(fetching.file_utils, "get_file", fetch)
    # A network without values for its weights, which take longest.
    shapes_only = keras.StatelessScope(initialize_variables=False)
    with shapes_only, pytest.raises(Fetched) as fetched:
        constructor(include_top=False, weights="imagenet", input_shape=(size, size, 3))
    keras.utils.clear_session()
    file = spec.weights
    digest = file.sha256 or file.md5
    assert fetched.value.args == (file.file_name, file.url, "models", digest)


@pytest.mark.slow
def test_depthwise_layers_compute_what_those_of_keras_do(monkeypatch):
    """Keras gives ConvNeXt layers that TensorFlow must compile on a CPU."""
    keras.utils.set_random_seed(0)
    ours = zoo.build("convnext_tiny", weights=None, input_size_px=32).model
    monkeypatch.setattr(applications, "_is_depthwise", lambda layer: False)
    keras.utils.set_random_seed(0)
    theirs = zoo.build("convnext_tiny", weights=None, input_size_px=32).model
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3))
    found, expected = (m(pixels, training=False).numpy() for m in (ours, theirs))
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.ptp(expected))
    kinds = [[type(x).__name__ for x in m.layers] for m in (ours, theirs)]
    assert [kind.count("DepthwiseConv2D") for kind in kinds] == [18, 0]
    assert len(kinds[0]) == len(kinds[1])
    keras.utils.clear_session()
