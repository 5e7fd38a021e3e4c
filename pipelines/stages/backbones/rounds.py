"""A comparison of backbones in rounds: all at a small size, the best at larger ones."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

import numpy as np

from pipelines.config import RunConfig
from pipelines.data.splits import Split
from pipelines.planning.backbones.choice import MeasuredBackbone
from pipelines.planning.backbones.ranking import LeftOut, finalists
from pipelines.planning.paired import paired_gain
from pipelines.problems.protocol import Problem
from pipelines.runtime.clock import Clock
from pipelines.stages.backbones.compare import measure_backbone

_FOLDS = 5
_NO_ROOM = (
    "Comparing backbones had reached its limit. Raise config.effort,"
    " config.time_budget_seconds or config.auto.budget_share, or name fewer with"
    " config.auto.backbones."
)

_logger = logging.getLogger("zootune")


class Limits:
    """The room for more candidates: multiply-adds, and a share of the time budget."""

    def __init__(self, config: RunConfig, *, work: float) -> None:
        self._work, self._done = work, 0.0
        share = config.time_budget_seconds * config.auto.budget_share
        self._end = time.monotonic() + share if share else np.inf
        self._reached = ""

    def add(self, measured: MeasuredBackbone) -> None:
        """Counts what measuring this one took."""
        score = measured.score
        self._done += (score.multiply_adds or 0) * score.examples

    @property
    def are_reached(self) -> bool:
        """True if there is room for nothing more. The count is looked at first."""
        if self._done >= self._work:
            self._reached = "the multiply-adds that its effort allows"
        elif time.monotonic() > self._end:
            self._reached = "its share of the time budget"
        return bool(self._reached)

    @property
    def in_words(self) -> str:
        """A sentence on what ended the comparison early; empty if nothing did."""
        if not self._reached:
            return ""
        return f" The comparison ended with some left out, at {self._reached}."


class Rounds:
    """Measures candidates, and keeps what was measured and what was left out."""

    def __init__(
        self,
        train: Split,
        problem: Problem,
        config: RunConfig,
        clock: Clock,
        limits: Limits,
        *,
        examples: int,
    ) -> None:
        self._train, self._problem, self._limits = train, problem, limits
        self._config, self._clock, self._examples = config, clock, examples
        self.measured: list[MeasuredBackbone] = []
        self.left_out: list[LeftOut] = []

    def smallest(self, sizes: Mapping[str, tuple[int, ...]]) -> None:
        """Every backbone at its smallest size."""
        for name, (size, *_) in sizes.items():
            self._measure(name, size)

    def larger(self, sizes: Mapping[str, tuple[int, ...]]) -> None:
        """The finalists at larger sizes, each until a step up gains nothing."""
        smallest = {row.score.backbone: row for row in self.measured}
        for name in finalists([row.score for row in self.measured]):
            before = smallest[name]
            for size in sizes[name][1:]:
                now = self._measure(name, size)
                if now is None:
                    break
                gain, _ = paired_gain(before.quality, now.quality, groups=now.groups)
                if gain <= 0:
                    break
                before = now

    def _measure(self, name: str, size: int) -> MeasuredBackbone | None:
        if self.measured and self._limits.are_reached:
            if all(row.score.backbone != name for row in self.measured):
                self.left_out.append(LeftOut(name, _NO_ROOM))
            return None
        measured = measure_backbone(
            name,
            size,
            self._train,
            self._config,
            self._clock,
            self._problem,
            examples=self._examples,
            folds=_FOLDS,
        )
        if isinstance(measured, LeftOut):
            _logger.warning("%s is left out: %s", name, measured.reason)
            self.left_out.append(measured)
            return None
        score = measured.score
        at = f" at {score.input_size_px} px" if score.input_size_px else ""
        self._clock.part(f"{name}{at}: left out {score.probe.accuracy:.4f}")
        self._limits.add(measured)
        self.measured.append(measured)
        return measured
