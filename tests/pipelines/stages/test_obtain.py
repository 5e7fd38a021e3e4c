"""The backbone of a run: with which weights it starts."""

import dataclasses

import numpy as np
import pytest

from pipelines.config import RunConfig
from pipelines.data.splits import Series, Texts
from pipelines.stages.obtain import obtain, with_backbone
from tests.support.tiny_stages import IMAGES, tiny_config
from zoo.errors import MissingWeightsError


def test_obtain_is_random_if_asked_or_unpublished(caplog):
    assert obtain(tiny_config(), IMAGES).weights == "random"
    assert not caplog.text
    asked = dataclasses.replace(tiny_config(), weights="default")
    assert obtain(asked, IMAGES).weights == "random"
    assert "Nobody has published weights for tiny_image" in caplog.text
    missing = dataclasses.replace(tiny_config(), weights="missing.weights.h5")
    with pytest.raises(MissingWeightsError, match="There is no weight file"):
        obtain(missing, IMAGES)


def test_obtain_from_scratch_is_random_whatever_weights_say():
    config = dataclasses.replace(tiny_config(strategy="scratch"), weights="default")
    assert obtain(config, IMAGES).weights == "random"


def test_each_modality_has_its_default_backbone():
    config = RunConfig(data="dir:x")
    series = Series(np.zeros((2, 20, 1), np.float32))
    texts = Texts(np.array([b"a", b"b"], object))
    names = [with_backbone(config, x).backbone for x in (IMAGES, texts, series)]
    assert names == ["efficientnet_lite0", "minilm_l6", "series_minirocket"]
    chosen = dataclasses.replace(config, backbone="vgg16")
    assert with_backbone(chosen, IMAGES) is chosen


@pytest.mark.parametrize("weights", ["default", "none"])
def test_fitted_backbone_needs_no_weights(caplog, weights):
    series = Series(np.zeros((2, 20, 3), np.float32))
    base = obtain(RunConfig(data="npz:x", weights=weights), series)
    assert base.weights == "unfitted"
    assert base.model.input_shape == (None, 20, 3)
    assert not caplog.text
