from pipelines.config import RunConfig, default


def test_get_config_is_the_default_and_new_each_time():
    assert default.get_config() == RunConfig()
    assert default.get_config() is not default.get_config()
