"""Rows of Keras Applications name classes that Keras has, and blocks once."""

import keras
import pytest

from zoo.catalog.applications import SPECS


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_handles_are_classes_of_keras(spec):
    assert callable(getattr(keras.applications, spec.handle))
    assert len(set(spec.block_names)) == len(spec.block_names) > 1


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("vgg16", 5),
        ("resnet50", 1 + 3 + 4 + 6 + 3),
        ("mobilenet", 1 + 13),
        ("xception", 1 + 12 + 1),
    ],
)
def test_families_have_the_units_of_their_papers(name, blocks):
    (spec,) = [spec for spec in SPECS if spec.name == name]
    assert len(spec.blocks) == blocks
