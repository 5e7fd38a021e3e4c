"""The contract that every backbone of the catalog keeps, whatever its source."""

import gc
import inspect
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.tiny_modules import save_slim, save_text
from zoo import preprocessing
from zoo import weights as weight_files
from zoo.catalog import CATALOG
from zoo.spec import ImageInput, SeriesInput, TextInput

# Modules of TF Hub cannot be had here: small ones of their two kinds stand in for them.
MODULES = {
    "image module": lambda folder: save_slim(folder, size=32),
    "text module": save_text,
}
# So do small presets for those of KerasHub, which itself needs Python 3.11.
PRESETS = ("image preset", "text preset") if sys.version_info >= (3, 11) else ()
NAMES = [
    *(spec.name for spec in CATALOG if spec.source != "tfhub"),
    *MODULES,
    *PRESETS,
    "word_vectors",
]
QUICK = (
    "series_conv",
    "series_gru",
    "tiny_image",
    "tiny_text",
    "tiny_series",
    *MODULES,
    *PRESETS,
    "word_vectors",
)
APPLICATIONS = [spec.name for spec in CATALOG if spec.source == "applications"]
# The smallest of each family whose boundaries count layers of a class.
COUNTED = [
    "xception",
    "inception_v3",
    "inception_resnet_v2",
    "mobilenet_v3_small",
    "convnext_tiny",
]
# The smallest of each family of Keras Applications.
FAMILIES = [
    *COUNTED,
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


@pytest.fixture(scope="module")
def seen():
    return set()


def _marked(name):
    return pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)


@pytest.fixture(scope="module", params=[_marked(name) for name in NAMES])
def backbone(request, seen, tmp_path_factory):
    """One backbone at its smallest size, untrained, built once for all of its tests.

    A module and a preset bring their weights and their size.
    """
    seen.add(request.param)
    if request.param in MODULES:
        folder = tmp_path_factory.mktemp("module") / "1"
        yield zoo.build("tfhub", handle=MODULES[request.param](folder))
    elif request.param in PRESETS:
        from tests import tiny_presets

        is_image = request.param == "image preset"
        save = tiny_presets.save_image if is_image else tiny_presets.save_text
        yield zoo.build("kerashub", handle=save(tmp_path_factory.mktemp("preset")))
    elif request.param == "word_vectors":
        file = tmp_path_factory.mktemp("vectors") / "vectors.txt"
        file.write_text("small 1 2 3\nhouse -1 0.5 2\nsea 0 0 1\n")
        yield zoo.build("word_vectors", handle=file, input_length=4)
    else:
        spec = zoo.get_spec(request.param)
        with pytest.MonkeyPatch.context() as patched:
            if weight_files.files(spec) and spec.modality == "text":
                store = request.getfixturevalue("text_store")
                patched.setenv("ZOOTUNE_HOME", str(store))
            built = zoo.build(spec.name, weights=None, **_smallest(spec))
        yield built
    keras.utils.clear_session()
    gc.collect()


def _smallest(spec):
    """The arguments that build a row at the least size that it takes."""
    match spec.input:
        case ImageInput():
            return {"input_size_px": spec.input.minimum_size_px}
        case TextInput():
            return {"input_length": 4}
        case SeriesInput():
            return {"input_length": spec.input.minimum_length_steps}


def _identities(things):
    return [id(thing) for thing in things]


def _one_input(backbone):
    """A batch of one, of what the modality is."""
    rng = np.random.default_rng(0)
    shape = (1, *backbone.model.input_shape[1:])
    match backbone.spec.modality:
        case "image":
            return rng.integers(0, 256, shape).astype("uint8")
        case "text":
            return tf.constant(["a small house by the sea"])
        case "series":
            return rng.normal(size=shape).astype("float32")


class TestContract:
    def test_model_takes_what_it_was_built_for(self, backbone):
        size, length = backbone.input_size_px, backbone.input_length
        shapes = {
            "image": ("pixels", (None, size, size, 3)),
            "text": ("text", (None,)),
            "series": ("series", (None, length, 1)),
        }
        given = backbone.model.input
        assert (given.name, given.shape) == shapes[backbone.spec.modality]

    def test_features_have_the_width_of_the_spec(self, backbone):
        rank = {"image": (4,), "text": (2, 3), "series": (3,)}[backbone.spec.modality]
        _, *places, width = backbone.model.output_shape
        assert len(places) + 2 in rank
        assert width == backbone.spec.feature_width
        assert min(places, default=1) >= 1

    def test_parameters_are_as_many_as_the_spec_says(self, backbone):
        assert backbone.model.count_params() == backbone.spec.parameters

    def test_pixels_are_normalised_as_the_spec_says(self, backbone):
        if backbone.spec.modality != "image":
            pytest.skip("it takes no pixels")
        layer = backbone.model.get_layer("pixel_normalization")
        convention = backbone.spec.input.pixels
        assert (layer.mean, layer.std) == (convention.mean, convention.std)
        assert layer.channels == convention.channels
        assert layer in backbone.blocks[0].layers

    def test_blocks_are_those_of_the_spec_and_none_is_empty(self, backbone):
        names = tuple(block.name for block in backbone.blocks)
        assert names == backbone.spec.block_names
        # A module is one block: nobody can see inside, as one can with a preset.
        spec = backbone.spec
        is_hidden = spec.carries_weights and spec.source != "kerashub"
        assert len(names) >= (1 if is_hidden else 2)
        assert all(block.layers for block in backbone.blocks)
        assert all(block.variables for block in backbone.blocks)
        assert backbone.blocks[-1].output is backbone.model.output

    def test_boundaries_lie_between_connections(self, backbone):
        """One tensor crosses each: more would mean that it cuts through a unit.

        In NASNet two do, because every cell reads the two before it; and in tiny_text
        and the text preset, the mask of what is padding.
        """
        spec = backbone.spec
        is_wide = spec.name.startswith(("nasnet", "tiny_text"))
        reads_mask = (spec.source, spec.modality) == ("kerashub", "text")
        crossing = 2 if is_wide or reads_mask else 1
        widths = {len(block.frontier) for block in backbone.blocks}
        assert max(widths) == crossing
        assert all(block.output in block.frontier for block in backbone.blocks)

    def test_every_layer_and_weight_is_in_exactly_one_block(self, backbone):
        layers = [layer for block in backbone.blocks for layer in block.layers]
        weights = [weight for block in backbone.blocks for weight in block.variables]
        assert len(layers) == len(backbone.model.layers) > 0
        assert set(_identities(layers)) == set(_identities(backbone.model.layers))
        assert len(weights) == len(backbone.model.variables) > 0
        assert set(_identities(weights)) == set(_identities(backbone.model.variables))

    def test_freezing_blocks_freezes_their_weights_and_no_other(self, backbone):
        blocks, model = backbone.blocks, backbone.model
        before = [layer.trainable for layer in model.layers]
        half = len(blocks) // 2
        later = [v for block in blocks[half:] for v in block.variables]
        try:
            for block in blocks[:half]:
                _freeze(block)
            left = set(_identities(model.trainable_variables))
            assert left or len(blocks) == 1
            assert left <= set(_identities(later))
            for block in blocks[half:]:
                _freeze(block)
            assert model.trainable_variables == []
        finally:
            for layer, trainable in zip(model.layers, before):
                layer.trainable = trainable
        assert left < set(_identities(model.trainable_variables)) or len(blocks) == 1

    def test_the_network_comes_apart_at_a_frontier(self, backbone):
        """Two models around a middle block share the layers and give the same."""
        if len(backbone.blocks) == 1:
            pytest.skip("there is no frontier inside a single block")
        index = len(backbone.blocks) // 2 - 1
        frontier = list(backbone.blocks[index].frontier)
        lower = keras.Model(backbone.model.input, frontier)
        upper = keras.Model(frontier, backbone.model.output)
        below, above = (
            {id(layer) for block in blocks for layer in block.layers}
            for blocks in (backbone.blocks[: index + 1], backbone.blocks[index + 1 :])
        )
        assert set(_identities(lower.layers)) == below
        assert set(_identities(_layers_without_inputs(upper))) == above
        inputs = _one_input(backbone)
        whole = np.asarray(backbone.model(inputs, training=False))
        assert np.isfinite(whole).all()
        assert np.ptp(whole) > 0
        joined = np.asarray(upper(lower(inputs, training=False), training=False))
        np.testing.assert_allclose(joined, whole, rtol=1e-5, atol=1e-6 * np.ptp(whole))


def _freeze(block):
    for layer in block.layers:
        layer.trainable = False


def _layers_without_inputs(model):
    return [
        layer
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
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
    with pytest.raises(Fetched) as fetched:
        constructor(include_top=False, weights="imagenet", input_shape=(size, size, 3))
    keras.utils.clear_session()
    file = spec.weights
    digest = file.sha256 or file.md5
    assert fetched.value.args == (file.file_name, file.url, "models", digest)


def _signature(backbone):
    """What the blocks hold, without the names that Keras numbers per process."""
    return [
        (
            block.name,
            [type(layer).__name__ for layer in block.layers],
            [tuple(variable.shape) for variable in block.variables],
            [tuple(tensor.shape) for tensor in block.frontier],
        )
        for block in backbone.blocks
    ]


@pytest.mark.slow
def test_blocks_do_not_depend_on_what_was_built_before():
    assert any("#" in b.layer for n in COUNTED for b in zoo.get_spec(n).blocks)
    keras.utils.clear_session()
    for name in COUNTED:
        size = zoo.get_spec(name).input.minimum_size_px
        first, second = (
            zoo.build(name, weights=None, input_size_px=size) for _ in range(2)
        )
        names = [
            [x.name for x in model.layers] for model in (first.model, second.model)
        ]
        assert names[0] != names[1], f"{name} has no numbered layers; take another"
        assert _signature(first) == _signature(second)
    keras.utils.clear_session()


@pytest.mark.slow
def test_the_suite_saw_every_backbone(seen):
    assert seen == set(NAMES)
    assert len(seen) == 52 + 3 + len(PRESETS)
