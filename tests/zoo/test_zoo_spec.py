"""Rows that contradict themselves are refused, with what to change."""

import dataclasses

import pytest

import zoo
from zoo.errors import BackboneError
from zoo.spec import BGR_MEAN, OUTPUT, BackboneSpec, Boundary, WeightsFile

GOOD = BackboneSpec(
    name="a_network2",
    source="tiny",
    handle="a_network2",
    modality="image",
    default_size_px=64,
    minimum_size_px=32,
    pixels=BGR_MEAN,
    feature_width=8,
    parameters=0,
    blocks=(Boundary("stem", "ReLU#1"), Boundary("final", OUTPUT)),
    license="MIT",
    paper="",
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "ResNet50"}, "'ResNet50' needs a name of lower-case"),
        ({"name": "2fast"}, "needs a name of lower-case"),
        ({"name": "a network"}, "needs a name of lower-case"),
        ({"minimum_size_px": 65}, "minimum size 65 px and default size 64 px"),
        ({"minimum_size_px": 0}, "expected 1 <= minimum <= default"),
        ({"feature_width": 0}, "positive feature width"),
        ({"parameters": -1}, "parameter count"),
        ({"license": ""}, "SPDX"),
        ({"blocks": ()}, r"distinct names, got \[\]"),
        (
            {"blocks": (Boundary("stem", "a"), Boundary("stem", OUTPUT))},
            r"distinct names, got \['stem', 'stem'\]",
        ),
        ({"blocks": (Boundary("stem", "a"),)}, "last block at 'output', not 'a'"),
    ],
)
def test_a_bad_row_is_refused(change, message):
    with pytest.raises(BackboneError, match=message):
        dataclasses.replace(GOOD, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "a"},
        {"minimum_size_px": 64},
        {"minimum_size_px": 1},
        {"feature_width": 1},
        {"license": "Apache-2.0"},
        {"blocks": (Boundary("all", OUTPUT),)},
    ],
)
def test_a_good_row_is_accepted(change):
    row = dataclasses.replace(GOOD, **change)
    assert all(getattr(row, field) == value for field, value in change.items())


@pytest.mark.parametrize("layer", ["ReLU#0", "ReLU#", "#1", "ReLU#1#2", "ReLU#-1"])
def test_a_boundary_with_a_bad_ordinal_is_refused(layer):
    with pytest.raises(BackboneError, match="'stem' ends at .* n counted from 1"):
        Boundary("stem", layer)


def test_a_boundary_is_given_by_name_or_by_class():
    assert Boundary("stem", "MaxPooling2D#12").layer_by_class == ("MaxPooling2D", 12)
    assert Boundary("stem", "block1_pool").layer_by_class is None
    assert Boundary("stem", OUTPUT).layer_by_class is None


def test_a_row_is_pretrained_when_it_names_weights():
    file = WeightsFile("a.h5", "MIT", url="https://example.org/a.h5")
    assert not GOOD.pretrained
    assert dataclasses.replace(GOOD, weights=file).pretrained


def test_a_row_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        GOOD.license = "Apache-2.0"


def test_block_names_are_in_order():
    assert GOOD.block_names == ("stem", "final")


def test_an_image_below_the_minimum_is_refused_with_the_sizes():
    GOOD.check_size(32)
    with pytest.raises(BackboneError, match=r"31 px: .* 32 px and its default 64 px"):
        GOOD.check_size(31)


def test_building_below_the_minimum_is_refused():
    assert zoo.build("tiny_image", weights=None, input_size_px=8).input_size_px == 8
    with pytest.raises(BackboneError, match="tiny_image cannot take images of 7 px"):
        zoo.build("tiny_image", weights=None, input_size_px=7)
    with pytest.raises(BackboneError, match="xception cannot take images of 70 px"):
        zoo.build("xception", weights=None, input_size_px=70)


def test_building_takes_the_default_size():
    assert zoo.build("tiny_image", weights=None).input_size_px == 32


def test_no_block_is_called_as_the_new_layers_are():
    blocks = (Boundary("stem", "ReLU#1"), Boundary("head", OUTPUT))
    with pytest.raises(BackboneError, match="cannot call a block 'head'"):
        dataclasses.replace(GOOD, blocks=blocks)
