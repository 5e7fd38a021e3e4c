"""Is one model at most a margin worse than another, on the same examples?"""

from __future__ import annotations

import dataclasses
import math

from scipy.optimize import brentq
from scipy.stats import norm

from pipelines.comparison.paired import Discordant

# The chance that a model that is worse by the whole margin passes.
LEVEL = 0.025
# Of the advice on how many examples would do: the share of equal models that pass.
_POWER = 0.8


@dataclasses.dataclass(frozen=True)
class NonInferiority:
    """The accuracy of a model minus the one of another, and if it is high enough.

    `lower` is the end of a one-sided interval of `1 - level`: the difference is not
    below it. The model `passed` if `lower` is above `-margin`. `examples_needed` is
    about how many examples have 80 of 100 equal models pass, if the two differ in as
    many answers as here.
    """

    examples: int
    only_reference: int
    only_model: int
    difference: float
    lower: float
    margin: float
    level: float
    passed: bool
    examples_needed: int


def non_inferior(
    counts: Discordant, examples: int, *, margin: float, level: float = LEVEL
) -> NonInferiority:
    """Tests if a model is worse than the first one by less than a `margin`.

    `counts` are the examples that exactly one of them has right. By Tango's score test,
    one-sided: https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8%3C891
    """
    p = float(norm.sf(_score(counts, examples, -margin)))
    return NonInferiority(
        examples=examples,
        only_reference=counts.only_first,
        only_model=counts.only_other,
        difference=(counts.only_other - counts.only_first) / examples,
        lower=_lower(counts, examples, level),
        margin=margin,
        level=level,
        passed=p < level,
        examples_needed=_needed(counts, examples, margin, level),
    )


def _score(counts: Discordant, examples: int, difference: float) -> float:
    """Tango's statistic: standard errors of what was seen above a true `difference`."""
    better, worse, n = counts.only_other, counts.only_first, examples
    # The most likely share that only the first has right, if the difference is true.
    b = (2 * n - better + worse) * difference - better - worse
    c = -worse * difference * (1 - difference)
    share = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
    variance = n * (2 * share + difference * (1 - difference))
    away = better - worse - n * difference
    if variance <= 0:
        return math.copysign(math.inf, away) if away else 0.0
    return away / math.sqrt(variance)


def _lower(counts: Discordant, examples: int, level: float) -> float:
    """The smallest difference that the test does not exclude."""
    seen, bound = (counts.only_other - counts.only_first) / examples, norm.isf(level)

    def above(difference: float) -> float:
        return min(_score(counts, examples, difference), 1e6) - float(bound)

    lowest = -1 + 1e-12
    return -1.0 if above(lowest) < 0 else float(brentq(above, lowest, seen))


def _needed(counts: Discordant, examples: int, margin: float, level: float) -> int:
    if margin == 0:
        return 0
    share = (counts.only_first + counts.only_other + 1) / (examples + 1)
    errors = float(norm.isf(level) + norm.isf(1 - _POWER))
    return math.ceil(share * (errors / margin) ** 2)
