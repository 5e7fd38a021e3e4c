"""Fields that a kind of problem does not have are refused by name."""

import numpy as np
import pytest

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.problems.refusals import ONE_CLASS_ONLY, require_only
from pipelines.problems.registry import make


def test_a_field_beyond_the_allowed_values_is_named():
    config = RunConfig(imbalance="weights")
    with pytest.raises(ConfigError, match="config.imbalance is 'weights'.*'ordinal'"):
        require_only(config, "ordinal", ONE_CLASS_ONLY)
    require_only(RunConfig(), "ordinal", ONE_CLASS_ONLY)
    config = RunConfig()
    config.export.explain = True
    with pytest.raises(ConfigError, match="export.explain is True.*Use False"):
        require_only(config, "regression", {"export.explain": (False,)})


@pytest.mark.parametrize("kind", ["single_label", "regression", "ordinal"])
@pytest.mark.parametrize("field", ["false_negative_rate", "least_precision"])
def test_thresholds_of_labels_are_for_labels(kind, field):
    config = RunConfig()
    setattr(config.calibration, field, 0.1)
    labels = np.eye(2) if kind == "regression" else np.arange(2)
    with pytest.raises(ConfigError, match=f"calibration.{field} is 0.1.*'{kind}'"):
        make(kind, ("0", "1"), labels).check_config(config)


@pytest.mark.parametrize("kind", ["single_label", "multi_label", "regression"])
@pytest.mark.parametrize(("field", "value"), [("method", "pca"), ("alpha", 0.2)])
def test_fields_of_detectors_are_for_anomalies(kind, field, value):
    config = RunConfig()
    setattr(config.anomaly, field, value)
    labels = np.arange(2) if kind == "single_label" else np.eye(2)
    with pytest.raises(ConfigError, match=rf"anomaly.{field} is .*'{kind}'"):
        make(kind, ("0", "1"), labels).check_config(config)
