"""The config of a run of seconds, which trains a head alone."""

import dataclasses
from pathlib import Path
from typing import Any

from pipelines.config import RunConfig, checked

ENVIRONMENT = {"python": "3"}
# The decisions that plans of an older version did not have.
_LATER = ("seed", "imbalance", "augment", "precision", "xla")
_LATER_INSIDE = ("conv_blocks", "whole")


def without_later(plan: dict[str, Any]) -> dict[str, Any]:
    """The values of a plan as an older version wrote them."""
    left = {name: value for name, value in plan.items() if name not in _LATER}
    return left | {
        "head": _without(plan["head"], _LATER_INSIDE),
        "phases": [_without(phase, _LATER_INSIDE) for phase in plan["phases"]],
    }


def _without(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def config_for(folder: Path, **fields: Any) -> RunConfig:
    """A checked config for a run in a folder."""
    config = RunConfig(
        data="builtin:digits?limit=120",
        backbone="tiny_image",
        weights="none",
        strategy="head_only",
        input_size_px=16,
        workdir=str(folder),
    )
    return checked(dataclasses.replace(config, **fields))
