"""The student that is kept: taught or alone, by the same validation examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.comparison.finished import Answers, answers_of
from pipelines.planning.paired import paired_gain
from pipelines.report import predictions

ALONE, DISTILLED = "alone", "distilled"


@dataclasses.dataclass(frozen=True)
class Choice:
    """The student that is kept, and what validation says of both.

    `gain` is of the accuracy that the teacher gave, with its paired `standard_error`;
    the loss decides where both are right equally often.
    """

    kept: str
    examples: int
    accuracy: Mapping[str, float]
    log_loss: Mapping[str, float]
    gain: float
    standard_error: float

    @property
    def reason(self) -> str:
        """A sentence on the choice."""
        both = self.accuracy
        if self.gain:
            return (
                f"The student {self.kept} is kept: validation accuracy is"
                f" {both[DISTILLED]:.4f} distilled and {both[ALONE]:.4f} alone, on"
                f" {self.examples} examples ({self.gain:+.4f}, standard error"
                f" {self.standard_error:.4f})."
            )
        return (
            f"The student {self.kept} is kept: both have {both[ALONE]:.4f} of"
            f" {self.examples} validation examples right, and the log loss is"
            f" {self.log_loss[DISTILLED]:.4f} distilled and"
            f" {self.log_loss[ALONE]:.4f} alone."
        )

    def values(self) -> dict[str, Any]:
        """The choice as plain values, ready for JSON."""
        return {**dataclasses.asdict(self), "reason": self.reason}


def choose(alone: Path, distilled: Path) -> Choice:
    """The better one of two run folders by validation; alone where both are equal."""
    answers = {ALONE: _validation(alone), DISTILLED: _validation(distilled)}
    return chosen(answers[ALONE], answers[DISTILLED])


def chosen(alone: Answers, distilled: Answers) -> Choice:
    """The choice between answers for the same examples, in the same order."""
    both = {ALONE: alone, DISTILLED: distilled}
    gain, error = paired_gain(alone.right, distilled.right, unit=1.0)
    loss = {name: float(np.mean(of.loss)) for name, of in both.items()}
    is_better = gain > 0 or (gain == 0 and loss[DISTILLED] < loss[ALONE])
    return Choice(
        kept=DISTILLED if is_better else ALONE,
        examples=len(alone),
        accuracy={name: float(of.right.mean()) for name, of in both.items()},
        log_loss=loss,
        gain=gain,
        standard_error=error,
    )


def _validation(folder: Path) -> Answers:
    rows = predictions.read(folder / predictions.FILE_NAME)
    return answers_of(row for row in rows if row.split == "validation")
