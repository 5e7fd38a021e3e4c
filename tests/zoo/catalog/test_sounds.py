"""The rows of networks for sounds."""

import zoo
from zoo.catalog.sounds import SPECS


def test_default_row_is_fitted_and_needs_no_weights():
    spec = zoo.get_spec(zoo.registry.DEFAULTS["sound"])
    assert spec in SPECS
    assert spec.is_to_be_fitted
    assert not spec.pretrained


def test_picture_row_has_the_weights_of_images():
    spec, image = map(zoo.get_spec, ("sound_efficientnet_lite0", "efficientnet_lite0"))
    assert spec.modality == "sound"
    assert (spec.weights, spec.blocks) == (image.weights, image.blocks)
