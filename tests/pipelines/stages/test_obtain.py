"""The backbone of a run: with which weights it starts."""

import dataclasses

import pytest

from pipelines.stages.obtain import obtain
from tests.support.tiny_stages import IMAGES, tiny_config
from zoo.errors import MissingWeightsError


def test_obtain_gives_random_weights_if_asked_or_unpublished(caplog):
    assert obtain(tiny_config(), IMAGES).weights == "random"
    assert not caplog.text
    asked = dataclasses.replace(tiny_config(), weights="default")
    assert obtain(asked, IMAGES).weights == "random"
    assert "Nobody has published weights for tiny_image" in caplog.text
    missing = dataclasses.replace(tiny_config(), weights="missing.weights.h5")
    with pytest.raises(MissingWeightsError, match="There is no weight file"):
        obtain(missing, IMAGES)


def test_obtain_for_scratch_gives_random_weights():
    config = dataclasses.replace(tiny_config(strategy="scratch"), weights="default")
    assert obtain(config, IMAGES).weights == "random"
