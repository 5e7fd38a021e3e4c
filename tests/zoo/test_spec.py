"""Rows that contradict themselves are refused, with what to change."""

import dataclasses

import pytest

import zoo
from zoo.errors import BackboneError
from zoo.spec import (
    BGR_MEAN,
    OUTPUT,
    BackboneSpec,
    Boundary,
    ImageInput,
    InputSize,
    SeriesInput,
    TextInput,
    Tokenizer,
    WeightsFile,
)

WORDS = Tokenizer("hashed_words", size=64)

GOOD = BackboneSpec(
    name="a_network2",
    source="tiny",
    handle="a_network2",
    input=ImageInput(default_size_px=64, minimum_size_px=32, pixels=BGR_MEAN),
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
        (
            {"input": ImageInput(64, 65, BGR_MEAN)},
            "minimum size 65 px and default size 64 px",
        ),
        ({"input": ImageInput(64, 0, BGR_MEAN)}, "expected 1 <= minimum <= default"),
        ({"input": TextInput(WORDS)}, "needs a default length where it has a tokeniz"),
        ({"input": TextInput(None, 8)}, "needs a default length where it has a token"),
        ({"input": TextInput(WORDS, 9, 8)}, "default length 9 and maximum length 8"),
        ({"input": TextInput(WORDS, 0)}, "expected 1 <= default <= maximum"),
        ({"input": SeriesInput(8, 9)}, "minimum length 9, default length 8"),
        ({"input": SeriesInput(8, 0)}, "expected 1 <= minimum <= default"),
        ({"input": SeriesInput(8, 1, 0)}, "0 channels"),
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
        {"input": ImageInput(64, 64, BGR_MEAN)},
        {"input": ImageInput(64, 1, BGR_MEAN)},
        {"input": TextInput()},
        {"input": TextInput(WORDS, 8)},
        {"input": TextInput(WORDS, 8, 8)},
        {"input": SeriesInput(8, 8, 2)},
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


def test_boundary_has_a_name_or_a_class():
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


def test_image_below_the_minimum_is_refused():
    takes = GOOD.input
    assert takes.size_for("good", InputSize(32)) == InputSize(32)
    assert takes.size_for("good", InputSize()) == InputSize(64)
    with pytest.raises(BackboneError, match=r"31 px: .* 32 px and its default 64 px"):
        takes.size_for("good", InputSize(31))


def test_text_has_the_tokens_of_the_network():
    takes = TextInput(WORDS, 8, 16)
    assert takes.size_for("good", InputSize()) == InputSize(length=8)
    assert takes.size_for("good", InputSize(length=16)) == InputSize(length=16)
    assert TextInput(WORDS, 8).size_for("good", InputSize(length=99)).length == 99
    for length in (0, 17):
        with pytest.raises(BackboneError, match=f"{length} tokens: allowed are 1 to"):
            takes.size_for("good", InputSize(length=length))


def test_network_of_whole_texts_has_no_length():
    assert TextInput().size_for("good", InputSize()) == InputSize()
    with pytest.raises(BackboneError, match="input_length is 8, but good takes whole"):
        TextInput().size_for("good", InputSize(length=8))


def test_a_series_has_a_length_and_channels():
    takes = SeriesInput(8, 4, 2)
    assert takes.size_for("good", InputSize()) == InputSize(length=8, channels=2)
    given = InputSize(length=4, channels=1)
    assert takes.size_for("good", given) == given
    with pytest.raises(BackboneError, match="3 steps and 2 channels: it needs"):
        takes.size_for("good", InputSize(length=3))


@pytest.mark.parametrize(
    ("takes", "size", "argument"),
    [
        (ImageInput(8, 8, BGR_MEAN), InputSize(length=8), "input_length"),
        (ImageInput(8, 8, BGR_MEAN), InputSize(channels=8), "channels"),
        (TextInput(WORDS, 8), InputSize(size_px=8), "input_size_px"),
        (SeriesInput(8, 8), InputSize(size_px=8), "input_size_px"),
    ],
)
def test_a_size_of_another_modality_is_refused(takes, size, argument):
    with pytest.raises(BackboneError, match=f"{argument} is 8, but good takes"):
        takes.size_for("good", size)


def test_building_below_the_minimum_is_refused():
    assert zoo.build("tiny_image", weights=None, input_size_px=8).input_size_px == 8
    with pytest.raises(BackboneError, match="tiny_image cannot take images of 7 px"):
        zoo.build("tiny_image", weights=None, input_size_px=7)
    with pytest.raises(BackboneError, match="xception cannot take images of 70 px"):
        zoo.build("xception", weights=None, input_size_px=70)


def test_building_takes_the_default_size():
    assert zoo.build("tiny_image", weights=None).input_size_px == 32


def test_blocks_do_not_use_names_of_new_layers():
    blocks = (Boundary("stem", "ReLU#1"), Boundary("head", OUTPUT))
    with pytest.raises(BackboneError, match="cannot call a block 'head'"):
        dataclasses.replace(GOOD, blocks=blocks)
