"""The config of a run that names no file."""

from pipelines.config import RunConfig, default


def test_every_field_is_at_its_default():
    assert default.get_config() == RunConfig()


def test_a_change_does_not_reach_the_next_one():
    default.get_config().finetune.epochs = 99
    assert default.get_config() == RunConfig()
