"""From the score of a detector to a p-value, by normal examples that were held out.

Conformal (https://arxiv.org/abs/2104.08279): of new normal examples like the held-out
ones at most the promised share has a p-value as small, whatever the detector.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar

import numpy as np

from pipelines.calibration.thresholds import EASE, keep_rank
from pipelines.config import AnomalyConfig


@dataclasses.dataclass(frozen=True, eq=False)
class AnomalyAnswers:
    """The answers of an artifact: float64 `[n]`, and bool `[n]`."""

    anomaly_score: np.ndarray
    p_value: np.ndarray
    anomalous: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class AnomalyCalibration:
    """All steps between the scores of a detector `[n, 1]` and the answers.

    `held_out` are the scores of held-out normal examples, float32 `[n]` in order, over
    the largest one that is not anomalous, `largest`. `alpha` is the share of false
    alarms that was asked for, and `promised` what the number of examples allows.
    Where the detector looks at places, `places` is the shape of its answer, `(cells,
    cells)` or `(steps,)`, and `largest_place` is to the strangest of them what
    `largest` is to the scores.
    """

    held_out: np.ndarray
    largest: float
    alpha: float
    promised: float
    reason: str
    places: tuple[int, ...] = ()
    largest_place: float = 1.0

    # Strangeness is the answer itself, and not one more threshold.
    distance: ClassVar[None] = None
    space: ClassVar[None] = None

    def answer(self, outputs: np.ndarray, features: np.ndarray) -> AnomalyAnswers:
        """The answers of the artifact's graph for outputs `[n, 1 + places]`."""
        scores = outputs[:, 0].astype(np.float64) / self.largest
        count = len(self.held_out)
        below = np.searchsorted(self.held_out, scores.astype(np.float32), side="left")
        return AnomalyAnswers(
            anomaly_score=scores,
            p_value=(1 + count - below) / (count + 1),
            anomalous=scores > 1,
        )

    def by_place(self, outputs: np.ndarray) -> np.ndarray | None:
        """Float64 `[n, *places]`: over 1 where a place alone is anomalous."""
        if not self.places:
            return None
        strange = outputs[:, 1:].astype(np.float64) / self.largest_place
        return strange.reshape(-1, *self.places)

    def to_manifest(self) -> dict[str, Any]:
        """The fields of a manifest: plain values, ready for JSON."""
        return {
            "temperature": 1.0,
            "thresholds": {"anomaly_score": 1.0},
            "calibration": {
                "alpha": self.alpha,
                "promised": self.promised,
                "held_out_examples": len(self.held_out),
                "reason": self.reason,
            },
        }


def calibrate_anomalies(
    outputs: np.ndarray,
    labels: np.ndarray,
    *,
    anomaly: AnomalyConfig,
    by_step: bool = False,
) -> AnomalyCalibration:
    """The calibration for held-out outputs, of the normal ones by `labels` `[n]`.

    `outputs` `[n, 1 + places]` have scores, and the cells of square maps if there are
    any, or steps if they are `by_step`. With fewer than `1 / alpha - 1` normal examples
    the promise is `1 / (n + 1)`.
    """
    held_out = outputs[labels == 0].astype(np.float64)
    normal = np.sort(held_out[:, 0])
    count = len(normal)
    rank = keep_rank(count, 1 - anomaly.alpha)
    promised = max(anomaly.alpha, 1 / (count + 1))
    largest = _largest(normal, rank)
    places: tuple[int, ...] = ()
    largest_place = 1.0
    if count_of_places := outputs.shape[1] - 1:
        side = math.isqrt(count_of_places)
        places = (count_of_places,) if by_step else (side, side)
        largest_place = _largest(np.sort(held_out[:, 1:].max(axis=1)), rank)
    reason = (
        f"{anomaly.alpha:g} false alarms are promised, by the scores of {count} normal"
        " examples of validation."
    )
    if rank > count:
        needed = math.ceil(1 / anomaly.alpha - 1)
        reason = (
            f"{count} normal examples of validation are too few to promise"
            f" {anomaly.alpha:g} false alarms, which takes {needed}: {promised:.4g} are"
            " promised, and what is stranger than all of them is anomalous. Hold out"
            " more (validation= in the reference), or raise config.anomaly.alpha."
        )
    return AnomalyCalibration(
        held_out=(normal / largest).astype(np.float32),
        largest=largest,
        alpha=anomaly.alpha,
        promised=promised,
        reason=reason,
        places=places,
        largest_place=largest_place,
    )


def _largest(ordered: np.ndarray, rank: int) -> float:
    """The largest score that is not anomalous, of scores in order; 1 if it is 0."""
    # Rounding must not make the example anomalous that sets the threshold.
    largest = float(ordered[min(rank, len(ordered)) - 1]) * (1 + EASE)
    return largest if largest > 0 else 1.0
