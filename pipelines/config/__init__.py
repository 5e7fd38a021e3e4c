"""The config of a run: its fields, their bounds, and how flags set them."""

from pipelines.config.schema import (
    AUTO_BACKBONE,
    BOUNDS,
    CHOICES,
    OPTIONS,
    RANDOM_WEIGHTS,
    AugmentConfig,
    AutoConfig,
    CalibrationConfig,
    ExportConfig,
    FinetuneConfig,
    HeadConfig,
    InputConfig,
    RunConfig,
    differences,
    field_paths,
    from_fields,
    to_dict,
)
from pipelines.config.validate import checked

__all__ = [
    "AUTO_BACKBONE",
    "BOUNDS",
    "CHOICES",
    "OPTIONS",
    "RANDOM_WEIGHTS",
    "AutoConfig",
    "AugmentConfig",
    "CalibrationConfig",
    "ExportConfig",
    "FinetuneConfig",
    "HeadConfig",
    "InputConfig",
    "RunConfig",
    "checked",
    "differences",
    "field_paths",
    "from_fields",
    "to_dict",
]
