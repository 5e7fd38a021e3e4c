"""Reports on anomalies: order where labels are known, and false alarms."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from sklearn.metrics import roc_auc_score

from pipelines.data.targets.anomaly import NAMES

_RATES = ("false_alarm_rate", "hit_rate")


@dataclasses.dataclass(frozen=True)
class AnomalyReport:
    """The quality of a detector on one split.

    `auroc` is the share of pairs of an anomaly and a normal example in which the
    anomaly has the higher score. `false_alarm_rate` is the share of normal examples
    that are called anomalous, `hit_rate` the share of anomalies that are. Each is None
    where the split lacks the examples for it. `per_kind` has the numbers of both kinds.
    """

    split: str
    examples: int
    auroc: float | None
    false_alarm_rate: float | None
    hit_rate: float | None
    per_kind: Mapping[str, Mapping[str, float | None]]

    @property
    def headline(self) -> tuple[str, ...]:
        """The names of the numbers that are printed first."""
        names = ("auroc", *_RATES)
        return tuple(name for name in names if getattr(self, name) is not None)

    @property
    def recorded(self) -> tuple[str, ...]:
        """The names of the numbers in the manifest of an artifact."""
        return self.headline


def report(
    split: str, labels: np.ndarray, answers: Mapping[str, np.ndarray]
) -> AnomalyReport:
    """The report for labels `[n]`, and answers `anomaly_score` and `anomalous`."""
    score, called = answers["anomaly_score"], answers["anomalous"]
    per_kind = {}
    for code, name in enumerate(NAMES):
        own = labels == code
        some = own.any()
        per_kind[name] = {
            "examples": float(own.sum()),
            "called_anomalous": float(called[own].mean()) if some else None,
            "median_score": float(np.median(score[own])) if some else None,
        }
    has_both = len(np.unique(labels)) > 1
    normal, anomaly = (per_kind[name]["called_anomalous"] for name in NAMES)
    return AnomalyReport(
        split=split,
        examples=len(labels),
        auroc=float(roc_auc_score(labels, score)) if has_both else None,
        false_alarm_rate=normal,
        hit_rate=anomaly,
        per_kind=per_kind,
    )
