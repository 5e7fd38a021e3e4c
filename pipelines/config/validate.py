"""The checks of a config: types, choices, bounds, and fields that conflict."""

import copy
import dataclasses
from typing import Any

from pipelines.config import conditions
from pipelines.config.adaptation import check_adapt, check_unlabelled
from pipelines.config.conflicts import conflicts
from pipelines.config.distillation import check_distil
from pipelines.config.schema import (
    AUTO_BACKBONE,
    OPTIONS,
    AutoConfig,
    RunConfig,
    to_dict,
)
from pipelines.display.records import dotted
from pipelines.errors import ConfigError
from zoo.registry import TAKES_HANDLE

_HANDLE_EXAMPLES = {
    "tfhub": "modules/efficientnet_lite0",
    "kerashub": "efficientnet_b0_ra_imagenet",
    "word_vectors": "vectors/glove.6B.100d.txt",
}
_EXAMPLES = {
    "data": "dir:photos",
    "workdir": "runs/photos",
}


def checked(config: RunConfig, *, writes: bool = True) -> RunConfig:
    """A validated copy; the workdir may be empty for a command that `writes` none.

    >>> checked(RunConfig(data="dir:photos", workdir="runs/photos")).seed
    0
    >>> checked(RunConfig(data="dir:photos", workdir="runs/photos", seed=-1))
    Traceback (most recent call last):
    pipelines.errors.ConfigError: config.seed is -1; allowed: 0 to 2147483647.

    Raises:
        ConfigError: naming the field, what came and what is allowed.
    """
    check_types(config, RunConfig())
    for field in ("data", *(["workdir"] if writes else [])):
        if not getattr(config, field):
            raise ConfigError(
                f"config.{field} is empty. Set it, for instance with"
                f" --config.{field}={_EXAMPLES[field]}"
            )
    for path, value in dotted(to_dict(config)).items():
        _check_value(path, value)
    _check_handle(config)
    _check_auto(config)
    _check_folds(config)
    _check_test_views(config)
    head = config.head
    if head.init == "probe" and (head.hidden_units or head.pooling != "average"):
        raise ConfigError(
            "config.head.init='probe' needs one dense layer on averaged features."
            " Remove head.hidden_units and use head.pooling='average', or set head.init"
            " to 'zeros' or 'epsilon'."
        )
    if head.pooling != "average" and (head.reads == "all" or head.grid == 2):
        raise ConfigError(
            f"config.head.pooling is '{head.pooling}', which reads the last block as it"
            " is. Leave config.head.reads and config.head.grid out, or use"
            " head.pooling='average'."
        )
    message = next(conflicts(config), "")
    if message:
        raise ConfigError(message)
    _check_calibration(config)
    check_adapt(config)
    check_distil(config)
    check_unlabelled(config)
    conditions.parse(config.export.minimum)
    return copy.deepcopy(config)


def _check_calibration(config: RunConfig) -> None:
    calibration = config.calibration
    if calibration.false_negative_rate and calibration.least_precision:
        raise ConfigError(
            "config.calibration.false_negative_rate and least_precision each choose the"
            " thresholds of labels. Leave one of them out."
        )
    chosen = calibration.false_negative_rate or calibration.least_precision
    if chosen and calibration.method == "none":
        raise ConfigError(
            "config.calibration.method is 'none', and thresholds of labels are chosen"
            " by calibration. Leave it out, or the rate that is to be kept."
        )
    if not calibration.conformal_levels:
        raise ConfigError(
            "config.calibration.conformal_levels is empty; the artifact gives the"
            " prediction sets of the first level. Set it, for instance to (0.95,)."
        )


def _check_value(path: str, value: Any) -> None:
    """Refuses a value that is not a choice, or beyond the bounds, of its field."""
    choices, bounds = OPTIONS[path].choices, OPTIONS[path].bounds
    if choices and value not in choices:
        raise ConfigError(f"config.{path} is {value!r}; allowed: {', '.join(choices)}.")
    if bounds is None:
        return
    low, high = bounds
    values = value if isinstance(value, tuple) else (value,)
    if not all(low <= number <= high for number in values):
        raise ConfigError(
            f"config.{path} is {value}; allowed: {low:.10g} to {high:.10g}."
        )


def _check_auto(config: RunConfig) -> None:
    """Refuses fields that `backbone=auto` cannot follow, or that only it reads."""
    if config.backbone != AUTO_BACKBONE:
        changed = [
            f"config.auto.{field.name}"
            for field in dataclasses.fields(AutoConfig)
            if getattr(config.auto, field.name) != field.default
        ]
        if changed:
            raise ConfigError(
                f"{' and '.join(changed)} set, but config.backbone is"
                f" '{config.backbone}', so there is nothing to choose. Leave it out, or"
                " set config.backbone='auto'."
            )
        return
    if config.weights != RunConfig().weights or config.strategy == "scratch":
        raise ConfigError(
            "config.backbone='auto' compares backbones by what their published weights"
            " know, so config.weights has to be 'default' and config.strategy not"
            " 'scratch'. Leave them out, or name a backbone."
        )
    if not config.auto.backbones:
        raise ConfigError(
            "config.auto.backbones is empty. Set a pattern, for instance with"
            " --config.auto.backbones='efficientnet*', or leave it out for all."
        )


def _check_folds(config: RunConfig) -> None:
    """Refuses fields that heads in closed form, one for each fold, do not have."""
    if not config.folds:
        if config.fold_head != "average":
            raise ConfigError(
                f"config.fold_head is '{config.fold_head}', but config.folds is 0, so"
                " there is one head. Set config.folds=5, or leave config.fold_head out."
            )
        return
    if config.folds == 1:
        raise ConfigError(
            "config.folds is 1, which leaves nothing to train on. Set 2 or more, or 0"
            " for one head and validation as it is."
        )
    if config.strategy == "scratch":
        raise ConfigError(
            f"config.folds is {config.folds}, and config.strategy is 'scratch'. Each"
            " fold starts from what the features of a pretrained network are worth, so"
            " set another config.strategy, or leave config.folds out."
        )
    if config.fold_head == "best":
        return
    if config.strategy != "head_only":
        raise ConfigError(
            f"config.folds is {config.folds}, and config.strategy is"
            f" '{config.strategy}'. Networks whose blocks train have no average, so set"
            " config.fold_head='best' to train one for each fold and keep the best;"
            " or config.strategy='head_only', or leave config.folds out."
        )
    head = config.head
    has_layers = head.hidden_units or head.dropout or head.conv_blocks > 0
    if head.init != "probe" or has_layers:
        raise ConfigError(
            "config.folds averages linear heads that are solved in closed form, which"
            " have neither new blocks, nor hidden layers, nor dropout. Use"
            " head.init='probe' without head.conv_blocks, head.hidden_units and"
            " head.dropout; or config.fold_head='best', or leave config.folds out."
        )


def _check_test_views(config: RunConfig) -> None:
    """Refuses fields that views at test time do not go with."""
    views = config.test_views
    if views == "none":
        return
    if config.strategy != "head_only" or config.head.init != "probe":
        raise ConfigError(
            f"config.test_views is '{views}', which is measured with heads in closed"
            " form on frozen blocks. Set config.strategy='head_only' and"
            " head.init='probe', or leave config.test_views out."
        )
    if config.folds:
        raise ConfigError(
            f"config.test_views is '{views}' and config.folds is {config.folds}: folds"
            " are answered with one view of each image. Leave one of the two out."
        )


def _check_handle(config: RunConfig) -> None:
    takes_handle = config.backbone in TAKES_HANDLE
    if takes_handle and not config.handle:
        raise ConfigError(
            f"config.handle is empty, but the backbone '{config.backbone}' is what a"
            " handle names. Set it, for instance with"
            f" --config.handle={_HANDLE_EXAMPLES[config.backbone]}"
        )
    if config.handle and not takes_handle:
        raise ConfigError(
            f"config.handle is {config.handle!r}, but the backbone"
            f" {config.backbone or 'by default'!r} takes none. Remove it, or set"
            f" config.backbone to {' or '.join(TAKES_HANDLE)}."
        )


def check_types(config: Any, defaults: Any, prefix: str = "") -> None:
    """Refuses a value of another type than the default, from a file or a caller.

    Raises:
        ConfigError: naming the field, what came and what is expected.
    """
    for field in dataclasses.fields(defaults):
        value, default = getattr(config, field.name), getattr(defaults, field.name)
        path = f"{prefix}{field.name}"
        if not _is_like(value, default):
            raise ConfigError(f"config.{path} is {value!r}; expected {_kind(default)}.")
        if dataclasses.is_dataclass(default):
            check_types(value, default, f"{path}.")


_KINDS = {
    str: "text",
    bool: "True or False",
    int: "a whole number",
    float: "a number",
}


def _kind(default: Any) -> str:
    if type(default) is tuple:
        kind, example = ("numbers", default) if default else ("whole numbers", (256,))
        return f"a tuple of {kind}, such as {example}"
    return _KINDS.get(type(default), type(default).__name__)


def _is_like(value: Any, default: Any) -> bool:
    if type(default) is tuple:
        # The tuple that is empty by default holds whole numbers.
        kinds = (int, float) if default else (int,)
        return type(value) is tuple and all(type(number) in kinds for number in value)
    return type(value) is type(default) or (type(default), type(value)) == (float, int)
