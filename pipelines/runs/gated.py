"""The quality gate of a run: asked before training, and judged before the export."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from pipelines.config import RunConfig
from pipelines.data.reference import DatasetRef
from pipelines.gate.gate import Gate, GateResult, gate_of, judge
from pipelines.gate.not_worse import run_of
from pipelines.report.predictions import PredictionRow
from pipelines.runs import record
from pipelines.runs.prepare import Prepared
from pipelines.stages.calibrate import Calibrated
from pipelines.stages.evaluate import Evaluation
from pipelines.stages.predictions import example_names, rows_of_outputs


def opened(config: RunConfig) -> Gate:
    """The gate of a config, with the run or artifact that it names.

    Raises:
        ConfigError: if it names neither.
    """
    export = config.export
    return gate_of(export.minimum, export.not_worse_than, margin=export.margin)


def require_possible(gate: Gate, prepared: Prepared) -> None:
    """Refuses a gate that no model of this run could be judged by.

    Raises:
        ConfigError: for an unknown measure, or a reference of something else.
    """
    problem = prepared.problem
    gate.require_possible(problem.name, problem.report_type, problem.names)


def judged(
    gate: Gate,
    prepared: Prepared,
    calibrated: Calibrated,
    evaluation: Evaluation,
    *,
    workdir: Path,
) -> GateResult:
    """The result of the gate for a trained model, from its evaluation.

    Raises:
        ConfigError: if a measure is unknown, or the reference shares no test example.
    """
    info = prepared.splits.info
    report = record.without_nan(
        {
            **{row.split: dataclasses.asdict(row) for row in evaluation.reports},
            "data": record.data_facts(info),
        }
    )
    return judge(
        gate,
        report,
        lambda: run_of(workdir, report, _answered(prepared, calibrated)),
        data=info.reference,
    )


def _answered(prepared: Prepared, calibrated: Calibrated) -> Iterator[PredictionRow]:
    """The answers of the model for the test split."""
    info = prepared.splits.info
    names = example_names(prepared.splits.test, DatasetRef.parse(info.reference))
    return rows_of_outputs(
        calibrated.test, names, calibrated.calibration, class_names=info.class_names
    )
