"""The choice of `config.backbone=auto`: a backbone and its input size. Pure functions.

Examples left out of a probe's fit decide, and multiply-adds where they cannot. These
are counted in the graph, not timed, so the same seed makes the same choice on a busy
machine.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.planning.backbones.ranking import BackboneScore, LeftOut
from pipelines.planning.paired import paired_gain
from zoo.spec import ImageInput, Input

SIZES_PX = (128, 160, 224)
# Pixels that are made up cost as much as others. Images may grow to twice their side:
# networks were trained on objects of a certain size.
_LARGEST_GROWTH = 2.0
# Multiply-adds that comparing may take, by effort: on two cores of a Xeon, which do
# some 50 to 100 billion a second, half a minute, two minutes, and twenty.
_WORK = {"seconds": 2e12, "minutes": 1e13, "hours": 1e14}
# A pass over the data is the least that follows, and training needs time too.
_MOST_FOR_A_PASS = 0.5


@dataclasses.dataclass(frozen=True)
class ComparedBackbone:
    """A backbone at a size: its accuracy, its distance from the best, and its cost.

    `accuracy` is of its best head on examples left out; where the problem is not
    single_label, the metric that it compares. `behind` is how much worse it answers the
    same examples than the best, on average out of fold, with the `standard_error` of
    that paired difference. `multiply_adds` are of one example, None if unknown.
    """

    backbone: str
    input_size_px: int | None
    accuracy: float
    behind: float
    standard_error: float
    multiply_adds: int | None
    parameters: int | None
    examples_per_second: float
    seconds: float

    @property
    def is_like_the_best(self) -> bool:
        """True if the best is not better by more than a standard error."""
        return self.behind <= self.standard_error

    @property
    def cost(self) -> tuple[float, float, str, int]:
        """Smaller is simpler: multiply-adds, parameters, then the name."""
        return (
            math.inf if self.multiply_adds is None else float(self.multiply_adds),
            math.inf if self.parameters is None else float(self.parameters),
            self.backbone,
            self.input_size_px or 0,
        )

    @property
    def name(self) -> str:
        """The backbone and its size, for a sentence."""
        size = self.input_size_px
        return f"'{self.backbone}'" + (f" at {size} px" if size else "")


@dataclasses.dataclass(frozen=True)
class BackboneChoice:
    """The backbone and input size of a run, with the reason; size 0 is its own.

    `compared` has what was measured, cheapest first, on the same `examples`; it is
    empty where there was nothing to compare. `left_out` could not be measured, or not
    in time, and the weights of `missing` are not on this machine.
    """

    backbone: str
    input_size_px: int
    reason: str
    metric: str = "accuracy"
    examples: int = 0
    compared: tuple[ComparedBackbone, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    missing: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class MeasuredBackbone:
    """The score of a backbone, and how well it answers each example, out of fold.

    `quality` is `[examples]`, in the order of the examples, and `groups` has their
    groups, if they are known; without folds it is empty.
    """

    score: BackboneScore
    quality: np.ndarray
    groups: np.ndarray | None = None


def input_sizes(
    takes: Input, *, images_px: float | None, fixed_px: int
) -> tuple[int, ...]:
    """The input sizes to compare of a backbone, smallest first; `(0,)` is its own.

    128, 160 and 224 pixels and its own, but none that it cannot take, that is larger
    than its own, or that is more than twice the typical side of the images,
    `images_px`. `fixed_px` is the size that the config asks for, 0 for any.
    """
    if not isinstance(takes, ImageInput):
        return (0,)
    if fixed_px:
        return (fixed_px,)
    own, least = takes.default_size_px, takes.minimum_size_px
    sizes = sorted({own, *(size for size in SIZES_PX if least <= size < own)})
    limit = math.inf if images_px is None else _LARGEST_GROWTH * images_px
    return tuple(size for size in sizes if size <= limit) or (sizes[0],)


def work_limit(effort: str) -> float:
    """The multiply-adds that comparing may take."""
    return _WORK[effort]


def choose(
    measured: Sequence[MeasuredBackbone],
    *,
    metric: str,
    rows_to_read: int,
    seconds_left: float,
) -> tuple[ComparedBackbone, tuple[ComparedBackbone, ...], str]:
    """The cheapest backbone that is as good as the best, all of them, and the reason.

    The best answers examples out of fold best, on average. As good is what it does not
    beat by more than a standard error of the paired difference. Where time is limited,
    a backbone that would need more than half of it to read all rows once is not taken
    if another needs less.
    """
    in_time = [
        row
        for row in measured
        if rows_to_read / row.score.examples_per_second
        <= _MOST_FOR_A_PASS * seconds_left
    ]
    allowed = in_time or [max(measured, key=lambda row: row.score.examples_per_second)]
    best = max(allowed, key=lambda row: (row.quality.mean(), row.score.probe.quality))
    rows = {id(row): _compared(row, best) for row in measured}
    candidates = [rows[id(row)] for row in allowed]
    chosen = min(
        (row for row in candidates if row.is_like_the_best), key=lambda row: row.cost
    )
    ordered = tuple(sorted(rows.values(), key=lambda row: row.cost))
    words = _reason(chosen, rows[id(best)], ordered, metric)
    if len(allowed) < len(measured):
        words += (
            f" Time decided too: {len(measured) - len(allowed)} of them would take more"
            " than half of what is left of the time budget for one pass over the data."
        )
    return chosen, ordered, words


def _compared(row: MeasuredBackbone, best: MeasuredBackbone) -> ComparedBackbone:
    behind, error = paired_gain(row.quality, best.quality, groups=best.groups)
    score = row.score
    return ComparedBackbone(
        backbone=score.backbone,
        input_size_px=score.input_size_px,
        accuracy=score.probe.accuracy,
        behind=behind,
        standard_error=error,
        multiply_adds=score.multiply_adds,
        parameters=score.parameters,
        examples_per_second=score.examples_per_second,
        seconds=score.seconds,
    )


def _reason(
    chosen: ComparedBackbone,
    best: ComparedBackbone,
    rows: Sequence[ComparedBackbone],
    metric: str,
) -> str:
    words = (
        f"The backbone is {chosen.name}, the choice among {len(rows)} of this machine:"
        f" left-out {metric} {chosen.accuracy:.4f}."
    )
    if chosen is best:
        cheaper = [row for row in rows if row.cost < chosen.cost]
        if not cheaper:
            return f"{words} It is the best and the cheapest of them."
        return f"{words} It beats what is cheaper by more than a standard error."
    return (
        f"{words} {best.name} is ahead by {max(0.0, chosen.behind):.4f} (standard error"
        f" {chosen.standard_error:.4f}) on the same examples, which shows nothing, and"
        f" costs {_times(best, chosen)}."
    )


def _times(best: ComparedBackbone, chosen: ComparedBackbone) -> str:
    if not (best.multiply_adds and chosen.multiply_adds):
        return "more or an unknown number of multiply-adds"
    return f"{best.multiply_adds / chosen.multiply_adds:.1f} times the multiply-adds"


def to_dict(choice: BackboneChoice) -> dict[str, Any]:
    """As plain values, ready for JSON."""
    return dataclasses.asdict(choice)


def from_dict(values: Mapping[str, Any]) -> BackboneChoice:
    """The choice that `to_dict` gave, also after a round trip through JSON.

    Raises:
        KeyError, TypeError: if these are other values.
    """
    return BackboneChoice(
        **{
            **values,
            "compared": tuple(ComparedBackbone(**row) for row in values["compared"]),
            "left_out": tuple(LeftOut(**row) for row in values["left_out"]),
            "missing": tuple(values["missing"]),
        }
    )
