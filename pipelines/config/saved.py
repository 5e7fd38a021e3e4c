"""The config that a run left in its folder, `config.json`, as a config again."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.config.schema import RunConfig, field_paths, refuse_unknown, to_dict
from pipelines.config.validate import check_types
from pipelines.display.records import dotted, filled
from pipelines.errors import ConfigError


def read_config(path: Path) -> RunConfig:
    """The config of a JSON file; a field that it lacks has its default.

    Raises:
        ConfigError: if it cannot be read, is not JSON, has an unknown field, or has a
            value of the wrong type.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}.") from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path} holds {_json_name(values)}; expected an object with the fields of"
            " a config, such as the config.json of a run."
        )
    try:
        return _from_dict(values)
    except ConfigError as error:
        raise ConfigError(f"{path} cannot be used: {error}") from error


def with_later_fields(
    values: Mapping[str, Any], ours: Mapping[str, Any]
) -> dict[str, Any]:
    """The saved values of a config, with the fields that its version did not have.

    They have their defaults, as JSON writes them, which are what that version did.
    `finetune.guard` is as in `ours`, another config: its default does something else,
    which the plans of the runs show.
    """
    defaults = json.loads(json.dumps(to_dict(RunConfig())))
    defaults["finetune"]["guard"] = ours["finetune"]["guard"]
    # Unpacked, so that a list or a number is refused here.
    complete: dict[str, Any] = filled({**values}, defaults)
    return complete


def _from_dict(values: Mapping[str, Any]) -> RunConfig:
    config = RunConfig()
    groups = [f.name for f in dataclasses.fields(config) if f.name not in field_paths()]
    for group in groups:
        if not isinstance(values.get(group, {}), dict):
            raise ConfigError(
                f"config.{group} is {values[group]!r}; expected an object with its"
                " fields."
            )
    refuse_unknown(dotted(values), field_paths())
    for group in groups:
        _set(getattr(config, group), values.get(group, {}))
    _set(config, {name: v for name, v in values.items() if name not in groups})
    check_types(config, RunConfig())
    return config


def _set(owner: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        # JSON has no tuples, and writes 1.0 and 1 alike.
        setattr(owner, name, tuple(value) if isinstance(value, list) else value)


_JSON_NAMES = {list: "a list", str: "a text", type(None): "null", bool: "true or false"}


def _json_name(value: object) -> str:
    return _JSON_NAMES.get(type(value), "a number")
