"""A frozen base."""

from pipelines.stages.base import freeze_base
from pipelines.stages.obtain import obtain
from tests.support.tiny_stages import IMAGES, tiny_config


def test_a_frozen_base_has_nothing_to_train():
    base = freeze_base(obtain(tiny_config(), IMAGES))
    assert base.model.trainable_variables == []
    assert len(base.model.weights) > 0
