"""One declaration for a field of the config: default, sentence, bounds, choices."""

import dataclasses
from collections.abc import Iterator
from typing import Any, TypeVar, cast

_Value = TypeVar("_Value")
_OPTION = "option"


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """The facts about one field that `option` declared; `bounds` are inclusive."""

    help: str
    bounds: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()


def option(
    default: _Value,
    *,
    help: str,  # noqa: A002 - the word of argparse and absl
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> _Value:
    """A dataclass field with what the checks and `--help` say about it.

    Its type is the type of the default, so that mypy compares it with the annotation.
    """
    if (low is None) != (high is None):
        raise TypeError("A field has both bounds or none.")
    bounds = None if low is None or high is None else (low, high)
    described = Option(" ".join(help.split()), bounds, choices)
    field = dataclasses.field(default=default, metadata={_OPTION: described})
    return cast(_Value, field)


def options(config: Any, prefix: str = "") -> Iterator[tuple[str, Option]]:
    """Every option below a config, with its dotted name: `head.dropout`."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from options(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", field.metadata[_OPTION]
