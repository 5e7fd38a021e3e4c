"""The values that a model card is made of, before anything was trained."""

from __future__ import annotations

from typing import Protocol

from pipelines.data.splits import DataInfo
from pipelines.planning.plan import TransferPlan
from pipelines.problems.protocol import Problem
from zoo.builder import Backbone


class Described(Protocol):
    """A model to describe: `Prepared`, or a run whose classes have changed."""

    @property
    def base(self) -> Backbone:
        """The backbone."""

    @property
    def info(self) -> DataInfo:
        """Facts about the data."""

    @property
    def plan(self) -> TransferPlan:
        """The plan of the run."""

    @property
    def problem(self) -> Problem:
        """The problem that the labels are of."""
