"""The table of backbones: filters, near-miss names, and rows that users add."""

import dataclasses
import subprocess
import sys

import keras
import pytest

import zoo
from zoo.catalog import CATALOG
from zoo.errors import BackboneError, UnknownBackboneError

APPLICATIONS = [
    *("vgg16", "vgg19"),
    *(f"resnet{depth}" for depth in (50, 101, 152)),
    *(f"resnet{depth}_v2" for depth in (50, 101, 152)),
    *("xception", "inception_v3", "inception_resnet_v2"),
    *("mobilenet", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"),
    *(f"densenet{depth}" for depth in (121, 169, 201)),
    *("nasnet_mobile", "nasnet_large"),
    *(f"efficientnet_b{n}" for n in range(8)),
    *(f"efficientnet_v2_{size}" for size in ("b0", "b1", "b2", "b3", "s", "m", "l")),
    *(f"convnext_{size}" for size in ("tiny", "small", "base", "large", "xlarge")),
]
SERIES = [
    "series_minirocket",
    *(f"series_{kind}" for kind in ("conv", "resnet", "inception")),
    *(f"series_{kind}" for kind in ("rnn", "gru", "lstm", "bigru", "bilstm")),
]
SOUNDS = ["sound_minirocket", "sound_efficientnet_lite0"]
TABLE = ["table_dense"]
TEXT = ["minilm_l6", "use_multilingual"]
PLAIN = ["vgg16", "xception", "mobilenet"]
TINY = ["tiny_image", "tiny_text", "tiny_series"]
HUB = [spec.name for spec in CATALOG if spec.source == "tfhub"]
SHOWS_ALL = f"`zoo list` shows all {len(CATALOG)}"
LITE = ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]


@pytest.fixture
def renamed():
    """A row under a name that is free, taken out of the table afterwards."""
    spec = dataclasses.replace(zoo.get_spec("tiny_image"), name="tiny_renamed")
    yield spec
    if spec.name in zoo.list_backbones():
        zoo.unregister(spec.name)


def test_catalog_is_listed_in_order():
    assert zoo.list_backbones() == [
        *APPLICATIONS,
        *LITE,
        *SERIES,
        *SOUNDS,
        *TABLE,
        *TEXT,
        *HUB,
        *TINY,
    ]
    assert len(CATALOG) == len(zoo.list_backbones()) > 44


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"pattern": "vgg*"}, ["vgg16", "vgg19"]),
        ({"pattern": "*_lite?", "modality": "image"}, LITE),
        ({"pattern": "VGG*"}, []),
        ({"source": "applications"}, APPLICATIONS),
        ({"source": "efficientnet_lite"}, [*LITE, SOUNDS[1]]),
        ({"pretrained": False}, [*SERIES, SOUNDS[0], *TABLE, *TINY]),
        ({"pretrained": True}, [*APPLICATIONS, *LITE, SOUNDS[1], *TEXT, *HUB]),
        ({"modality": "image", "source": "tiny"}, ["tiny_image"]),
        ({"modality": "smell"}, []),
        ({"pattern": "resnet50*", "source": "efficientnet_lite"}, []),
        ({"exclude": ("*",)}, []),
        ({"pattern": "vgg*", "exclude": ("*19",)}, ["vgg16"]),
        ({"pattern": "vgg*", "exclude": ()}, ["vgg16", "vgg19"]),
        (
            {"pattern": "vgg*", "exclude": ("v", "g", "1", "no_such*")},
            ["vgg16", "vgg19"],
        ),
        ({"pattern": "vgg*", "exclude": ["vgg16", "vgg1?"]}, []),
        ({"exclude": ("*_*", "resnet*", "densenet*", "vgg19")}, PLAIN),
        ({"source": "tiny", "exclude": ("*text",), "modality": "text"}, []),
        (
            {"source": "tiny", "exclude": ("*text",), "pretrained": False},
            ["tiny_image", "tiny_series"],
        ),
    ],
)
def test_filters_keep_rows_that_match_all(filters, expected):
    assert zoo.list_backbones(**filters) == expected


@pytest.mark.parametrize("exclude", ["vgg16", "*", ""])
def test_what_to_leave_out_is_no_string(exclude):
    """Its letters would be read as patterns, and `*` is one of them."""
    with pytest.raises(
        BackboneError, match=r"tuple of patterns: exclude=\('"
    ) as raised:
        zoo.list_backbones("vgg*", exclude=exclude)
    assert f"exclude=('{exclude}',)" in str(raised.value)
    assert zoo.list_backbones("vgg*", exclude=("vgg16",)) == ["vgg19"]


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("resnet50v2", "resnet50_v2"),
        ("ResNet50", "resnet50"),
        ("efficientnetb0", "efficientnet_b0"),
        ("efficient_net_lite0", "efficientnet_lite0"),
        ("mobilnet", "mobilenet"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(name, suggestion):
    with pytest.raises(UnknownBackboneError, match=f"'{name}'.*Did you mean") as raised:
        zoo.get_spec(name)
    assert suggestion in str(raised.value)
    assert zoo.get_spec(suggestion).name == suggestion


def test_distant_name_suggests_nothing():
    with pytest.raises(UnknownBackboneError, match=SHOWS_ALL) as raised:
        zoo.get_spec("qqqqqqqq")
    assert "Did you mean" not in str(raised.value)


def test_row_is_added_built_and_removed(renamed):
    zoo.register(renamed)
    assert zoo.list_backbones()[-1] == "tiny_renamed"
    assert zoo.get_spec("tiny_renamed") == renamed
    assert zoo.build("tiny_renamed", weights=None).model.name == "tiny_renamed"
    zoo.unregister("tiny_renamed")
    with pytest.raises(UnknownBackboneError, match="Did you mean tiny_image"):
        zoo.get_spec("tiny_renamed")


def test_taken_name_is_refused(renamed):
    zoo.register(renamed)
    other = dataclasses.replace(renamed, license="MIT")
    with pytest.raises(BackboneError, match="'tiny_renamed' is registered already"):
        zoo.register(other)
    assert zoo.get_spec("tiny_renamed").license == "Apache-2.0"


def test_a_row_of_another_source_brings_its_network(renamed):
    def network(spec, pixels, weights_file):
        return keras.layers.Conv2D(spec.feature_width, 1, name="conv")(pixels)

    own = dataclasses.replace(
        renamed, source="mine", parameters=128, blocks=(zoo.Boundary("all", "output"),)
    )
    with pytest.raises(BackboneError, match=r"builds the source 'mine' .* network=..."):
        zoo.register(own)
    zoo.register(own, network=network)
    backbone = zoo.build("tiny_renamed", weights=None, input_size_px=8)
    assert backbone.model.output_shape == (None, 8, 8, 32)
    assert backbone.model.count_params() == own.parameters
    zoo.unregister("tiny_renamed")
    with pytest.raises(BackboneError, match="rows of 'tiny' are built by our own"):
        zoo.register(renamed, network=network)
    zoo.register(renamed)
    assert "stem_conv" in [
        x.name for x in zoo.build("tiny_renamed", weights=None).model.layers
    ]


def test_taking_out_an_unknown_row_is_refused():
    with pytest.raises(UnknownBackboneError, match="resnet50"):
        zoo.unregister("resnet5")


def _modules_after(code):
    """Which of the heavy modules a fresh process has imported after some code."""
    check = "import sys; print(*{'keras', 'tensorflow', 'numpy'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {check}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_listing_and_reading_specs_import_no_tensorflow():
    assert _modules_after(
        "import zoo; zoo.list_backbones(); zoo.get_spec('vgg16')"
    ) == (set())


def test_modules_after_names_heavy_modules():
    assert _modules_after("import numpy") == {"numpy"}
