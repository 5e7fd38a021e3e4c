"""The number format of the layers of a run, and the use of XLA for its steps.

Plain decisions on measured times; nothing is timed here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

FLOAT32 = "float32"
# Another format has to be this many times faster. Near a tie a clock would choose now
# one and now the other, and two runs of a seed would differ.
CLEAR_GAIN = 1.2
# Training has to take this many times as long as the comparison, so that the comparison
# costs at most five percent, and saves more than three times as much.
REPAID_BY = 20.0
# Root mean square of the difference of the logits, of their spread. bfloat16 rounds by
# 0.4 percent, and through a network that adds up to some percent.
LARGEST_LOGIT_DIFFERENCE = 0.1
# Of the loss, or of 1 where that is smaller.
LARGEST_LOSS_DIFFERENCE = 0.05


@dataclasses.dataclass(frozen=True)
class StepTrial:
    """A few training steps on one batch: the fastest in seconds, and the differences.

    Differences are to float32 with the same weights: of the logits, as a share of their
    spread, and of the loss.
    """

    precision: str
    xla: bool
    seconds: float
    logit_difference: float = 0.0
    loss_difference: float = 0.0

    @property
    def is_like_float32(self) -> bool:
        """True if differences are within the tolerance; NaN is not."""
        return (
            self.logit_difference <= LARGEST_LOGIT_DIFFERENCE
            and self.loss_difference <= LARGEST_LOSS_DIFFERENCE
        )

    @property
    def name(self) -> str:
        """The format in words, and XLA if it is on."""
        return f"{self.precision} with XLA" if self.xla else self.precision


@dataclasses.dataclass(frozen=True)
class Compute:
    """The choice and its reason; `trials` are empty if nothing had to be measured."""

    precision: str
    xla: bool = False
    reason: str = ""
    trials: tuple[StepTrial, ...] = ()


def is_repaid(training: float, cost: float) -> bool:
    """True if training is long enough to repay a comparison of this cost.

    Both in seconds, or both in training steps.
    """
    return training >= REPAID_BY * cost


def fastest(trials: Sequence[StepTrial]) -> Compute:
    """The fastest of the trials that agree with the first one, if the gain is clear."""
    plain = trials[0]
    same = [plain, *(trial for trial in trials[1:] if trial.is_like_float32)]
    best = min(same, key=lambda trial: trial.seconds)
    if plain.seconds < CLEAR_GAIN * best.seconds:
        best = plain
    comparisons = "; ".join(_in_words(trial, plain) for trial in trials[1:])
    return Compute(
        best.precision,
        best.xla,
        f"a step in {plain.name} takes {plain.seconds:.3g} s; {comparisons}",
        tuple(trials),
    )


def _in_words(trial: StepTrial, plain: StepTrial) -> str:
    gain = plain.seconds / trial.seconds
    words = f"in {trial.name} {trial.seconds:.3g} s ({gain:.2f} times as fast"
    if not trial.is_like_float32:
        return (
            f"{words}, but logits differ by {trial.logit_difference:.1%} of their"
            f" spread and the loss by {trial.loss_difference:.3g})"
        )
    return f"{words})" if gain >= CLEAR_GAIN else f"{words}, not {CLEAR_GAIN:g})"


def to_dict(compute: Compute) -> dict[str, Any]:
    """As plain values, ready for JSON."""
    return dataclasses.asdict(compute)


def from_dict(values: Mapping[str, Any]) -> Compute:
    """The choice that `to_dict` gave, also after a round trip through JSON.

    Raises:
        KeyError, TypeError: if these are other values.
    """
    trials = tuple(StepTrial(**trial) for trial in values["trials"])
    return Compute(**{**values, "trials": trials})
