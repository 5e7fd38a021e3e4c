"""The gate in front of a publication: its conditions, and the verdict on a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.comparison import finished
from pipelines.comparison.finished import FinishedRun
from pipelines.comparison.non_inferiority import NonInferiority
from pipelines.config.conditions import Condition, parse
from pipelines.errors import GateError
from pipelines.gate import minimum, not_worse
from pipelines.gate.minimum import Checked
from pipelines.gate.not_worse import Reference
from zoo.storage.home import expanded


@dataclasses.dataclass(frozen=True, eq=False)
class Gate:
    """What a model must reach to be published; without conditions all do."""

    conditions: tuple[Condition, ...] = ()
    reference: Reference | None = None
    margin: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.conditions) or self.reference is not None

    @property
    def reads_data(self) -> bool:
        """True if an artifact is to be asked about examples."""
        return self.reference is not None and self.reference.artifact is not None

    def require_possible(
        self, problem: str, report_type: type, class_names: Sequence[str]
    ) -> None:
        """Refuses what no model of a problem could be asked, before it is trained.

        Raises:
            ConfigError: for an unknown measure, or a reference of something else.
        """
        minimum.require_known(self.conditions, report_type)
        if self.reference is not None:
            not_worse.require_comparable(
                self.reference, problem=problem, class_names=class_names
            )


@dataclasses.dataclass(frozen=True)
class GateResult:
    """Each condition with its value, and the comparison with the reference.

    Without any it is the result of no gate, which is passed.
    """

    minimum: tuple[Checked, ...] = ()
    reference: str | None = None
    not_worse: NonInferiority | None = None

    @property
    def passed(self) -> bool:
        """True if all conditions are met."""
        is_as_good = self.not_worse is None or self.not_worse.passed
        return is_as_good and all(row.passed for row in self.minimum)

    def values(self) -> dict[str, Any]:
        """The values of `gate` in `report.json`."""
        compared = self.not_worse
        return {
            "passed": self.passed,
            "minimum": [dataclasses.asdict(row) for row in self.minimum],
            "not_worse_than": None
            if compared is None
            else {"reference": self.reference, **dataclasses.asdict(compared)},
        }

    def require_passed(self, after: str) -> None:
        """Raises `GateError` that says by how much each condition is missed.

        `after` is a sentence on what there is all the same.
        """
        if not self.passed:
            reasons = " ".join(self._reasons())
            raise GateError(
                f"The model is not published: it does not pass the gate. {reasons}"
                f" {after} Train a better one, or ask for less."
            )

    def _reasons(self) -> list[str]:
        reasons = [_missed(row) for row in self.minimum if not row.passed]
        if self.not_worse is not None and not self.not_worse.passed:
            reasons.append(_worse(self.not_worse, str(self.reference)))
        return reasons


def gate_of(
    conditions: str,
    not_worse_than: str,
    *,
    margin: float,
    field: str = "config.export.minimum",
) -> Gate:
    """The gate that two fields of a config describe, with its reference opened.

    Raises:
        ConfigError: if a condition has another form, or the reference is neither a run
            nor an artifact.
    """
    reference = None
    if not_worse_than:
        reference = not_worse.opened(expanded(not_worse_than))
    return Gate(parse(conditions, field=field), reference, margin)


def judge(
    gate: Gate,
    report: Mapping[str, Any],
    run: Callable[[], FinishedRun],
    *,
    data: str,
) -> GateResult:
    """The result of a gate for the values of a report.

    `run` gives the run with its answers on test, and is called where a reference is to
    be compared with; `data` is its dataset reference.

    Raises:
        ConfigError: for a measure that the report lacks, or a reference that shares no
            test example.
    """
    rows, compared = minimum.checked(gate.conditions, report), None
    if gate.reference is not None:
        compared = not_worse.compare(
            run(), gate.reference, data=data, margin=gate.margin
        )
    path = None if gate.reference is None else str(gate.reference.path)
    return GateResult(tuple(rows), path, compared)


def judge_finished(gate: Gate, folder: Path, data: str | None) -> GateResult:
    """The result of a gate for a finished run; `data` is where its data are now.

    Raises:
        ConfigError: if the folder holds no finished run, or as `judge`.
    """
    report = finished.read_report(folder)
    if gate.reference is None:
        return GateResult(tuple(minimum.checked(gate.conditions, report)), None, None)
    kind = str(report.get("problem", "single_label"))
    not_worse.require_comparable(
        gate.reference, problem=kind, class_names=report.get("class_names", ())
    )
    run = finished.read(folder)
    where = data or str(run.config.get("data", ""))
    return judge(gate, report, lambda: run, data=where)


def _missed(row: Checked) -> str:
    if row.value is None or row.missed_by is None:
        return f"{row.condition} was asked, and it could not be measured."
    return (
        f"{row.condition} was asked, and it is {row.value:.4f}: missed by"
        f" {row.missed_by:.4f}."
    )


def _worse(row: NonInferiority, reference: str) -> str:
    short = "" if row.examples >= row.examples_needed else _too_few(row)
    return (
        f"It may be worse than {reference}: on {row.examples} shared test examples its"
        f" accuracy is {row.difference:+.4f} from that one, with {row.only_model} right"
        f" here alone and {row.only_reference} there alone. With {1 - row.level:.1%}"
        f" certainty that is {row.lower:+.4f} at worst, and {-row.margin:+.4f} is"
        f" allowed (export.margin): missed by {-row.margin - row.lower:.4f}.{short}"
    )


def _too_few(row: NonInferiority) -> str:
    return (
        f" With about {row.examples_needed} test examples an equal model would pass 80"
        " times in 100."
    )
