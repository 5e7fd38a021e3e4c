"""Fields of a config that some kinds of problems do not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.config import AnomalyConfig, RunConfig
from pipelines.errors import ConfigError


def require_only(
    config: RunConfig, problem: str, allowed: Mapping[str, Sequence[Any]]
) -> None:
    """Checks that fields have one of the values that a kind of problem allows.

    `allowed` has the values by the path of the field, the usual one first.

    Raises:
        ConfigError: naming the first field that has another.
    """
    for path, values in allowed.items():
        value: Any = config
        for name in path.split("."):
            value = getattr(value, name)
        if value not in values:
            words = " or ".join(repr(known) for known in values)
            raise ConfigError(
                f"config.{path} is {value!r}, which config.problem={problem!r} does not"
                f" have yet. Use {words}."
            )


# The fields that only several labels have, and the values that others take.
LABELS_ONLY: Mapping[str, Sequence[Any]] = {
    "calibration.false_negative_rate": (0.0,),
    "calibration.least_precision": (0.0,),
}
# The fields that only numbers have, and the values that others take.
NUMBERS_ONLY: Mapping[str, Sequence[Any]] = {
    "calibration.widths": ("auto",),
    "finetune.number_loss": ("huber",),
}
# The fields that only an autoencoder has, and the values that other detectors take.
AUTOENCODERS_ONLY: Mapping[str, Sequence[Any]] = {
    "anomaly.network": (AnomalyConfig().network,),
    "anomaly.regularizer": (AnomalyConfig().regularizer,),
}
# The fields that only a detector of anomalies has, and the values that others take.
ANOMALIES_ONLY: Mapping[str, Sequence[Any]] = {
    "anomaly.method": ("auto",),
    "anomaly.transfer": (AnomalyConfig().transfer,),
    "anomaly.alpha": (AnomalyConfig().alpha,),
    **AUTOENCODERS_ONLY,
}
# The fields that only a classifier has, and the values that others take.
ONE_CLASS_ONLY: Mapping[str, Sequence[Any]] = {
    "imbalance": ("none", "auto"),
    "distribution": ("auto", "none"),
    "adapt.target": ("",),
    "unlabelled": ("",),
}
