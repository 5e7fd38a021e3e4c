"""Fields that a kind of problem does not have are refused by name."""

import pytest

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.problems.refusals import ONE_CLASS_ONLY, require_only


def test_a_field_beyond_the_allowed_values_is_named():
    config = RunConfig(imbalance="weights")
    with pytest.raises(ConfigError, match="config.imbalance is 'weights'.*'ordinal'"):
        require_only(config, "ordinal", ONE_CLASS_ONLY)
    require_only(RunConfig(), "ordinal", ONE_CLASS_ONLY)
    config = RunConfig()
    config.export.explain = True
    with pytest.raises(ConfigError, match="export.explain is True.*Use False"):
        require_only(config, "regression", {"export.explain": (False,)})
