"""Conditions on measures, as `test.accuracy>=0.9`: what a model must reach."""

import dataclasses
import math
import operator
import re
from collections.abc import Callable

from pipelines.errors import ConfigError

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_FORM = re.compile(r"(.+?)\s*(>=|<=|>|<)\s*([^<>=]+)")
_SPLITS = ("test", "validation")
_EXAMPLE = "'test.balanced_accuracy>=0.9,test.loss<=0.3'"


@dataclasses.dataclass(frozen=True)
class Condition:
    """A bound on a measure of `report.json`, which is named with its split."""

    measure: str
    comparison: str
    bound: float

    def is_met(self, value: float) -> bool:
        """True if a value of the measure is within the bound."""
        return _COMPARE[self.comparison](value, self.bound)

    def __str__(self) -> str:
        return f"{self.measure}{self.comparison}{self.bound:.10g}"


def parse(text: str, *, field: str = "config.export.minimum") -> tuple[Condition, ...]:
    """The conditions of a text, where commas part them; `field` is named in errors.

    >>> [str(of) for of in parse("test.accuracy>=0.9, test.loss < .3")]
    ['test.accuracy>=0.9', 'test.loss<0.3']

    Raises:
        ConfigError: for a text of another form.
    """
    if not text.strip():
        return ()
    return tuple(_condition(part.strip(), field) for part in text.split(","))


def _condition(text: str, field: str) -> Condition:
    matched = _FORM.fullmatch(text)
    if matched is None:
        raise ConfigError(
            f"{field} has {text!r}, and not a measure with a bound. Write a name of"
            f" report.json, one of {', '.join(_COMPARE)}, and a number; commas part"
            f" several: {_EXAMPLE}."
        )
    measure, comparison, number = matched.groups()
    try:
        bound = float(number)
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise ConfigError(
            f"{field} has the bound {number!r} in {text!r}. Write a finite number, as"
            f" in {_EXAMPLE}."
        )
    if measure.partition(".")[0] not in _SPLITS:
        raise ConfigError(
            f"{field} has the measure {measure!r}. Begin it with its split,"
            f" {' or '.join(_SPLITS)}, as in {_EXAMPLE}."
        )
    return Condition(measure, comparison, bound)
