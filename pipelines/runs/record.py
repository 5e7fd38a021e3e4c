"""The record of a run: the values of `report.json`, and facts for the manifest."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from pipelines.data.data_card import reasons
from pipelines.data.splits import DataInfo
from pipelines.planning import compute
from pipelines.planning.backbones import choice as backbone_choice
from pipelines.planning.backbones.choice import BackboneChoice
from pipelines.planning.evidence import Evidence
from pipelines.planning.plan import TransferPlan, to_dict
from pipelines.runs.result import Outcome
from pipelines.runtime import environment
from pipelines.stages.evaluate import Evaluation
from pipelines.training.phases.result import PhaseResult


def report(outcome: Outcome) -> dict[str, Any]:
    """The values of `report.json`; seconds are seconds, bytes are bytes."""
    prepared, history = outcome.prepared, outcome.history
    plan, splits = prepared.plan, prepared.splits
    values = {
        **{row.split: dataclasses.asdict(row) for row in outcome.evaluation.reports},
        "problem": prepared.problem.name,
        "headline": list(outcome.evaluation.test.headline),
        "calibration": prepared.problem.calibration_report(outcome.calibrated),
        "class_names": list(splits.info.class_names),
        "data": data_facts(splits.info),
        "plan": {"action": plan.action, "reason": plan.reason},
        "compute": compute.to_dict(prepared.compute),
        "phases": [_phase(phase) for phase in history.phases],
        "phases_skipped": list(history.skipped),
        "phases_not_needed": list(history.not_needed),
        "receipt": {
            phase.name: [dataclasses.asdict(row) for row in phase.receipt]
            for phase in history.phases
        },
        "images_per_second": _rate(outcome),
        "peak_memory_bytes": environment.peak_memory_bytes(),
        "seconds": dict(outcome.seconds),
        "artifact": outcome.exported["path"],
        "backbone": dict(outcome.backbone),
        "parity": outcome.exported["parity"],
        "baselines": dict(outcome.evaluation.baselines),
    }
    if prepared.choice is not None:
        values["backbone_choice"] = chosen(prepared.choice)
    if outcome.evaluation.simple_models is not None:
        values["simple_models"] = dict(outcome.evaluation.simple_models)
    if outcome.folds is not None:
        values["folds"] = dataclasses.asdict(outcome.folds)
    if outcome.views is not None:
        values["test_views"] = dataclasses.asdict(outcome.views)
    if outcome.adaptation is not None:
        values["adaptation"] = dataclasses.asdict(outcome.adaptation)
    if outcome.distillation is not None:
        values["distillation"] = dataclasses.asdict(outcome.distillation)
    if prepared.unlabelled is not None:
        values["unlabelled"] = dataclasses.asdict(prepared.unlabelled.record)
    if outcome.gate is not None:
        values["gate"] = dict(outcome.gate)
    return without_nan(values)


def chosen(choice: BackboneChoice) -> dict[str, Any]:
    """The values of `backbone.json`: the backbone, and what it was compared with."""
    return backbone_choice.to_dict(choice)


def planned(decided: TransferPlan, evidence: Evidence | None) -> dict[str, Any]:
    """The values of `plan.json`: the plan, and what it rests on.

    A detector rests on normal examples alone, by which nothing was compared.
    """
    rests = evidence is not None and not decided.head.detector
    known = dataclasses.asdict(evidence) if evidence and rests else None
    return {**to_dict(decided), "evidence": known}


def artifact_facts(
    info: DataInfo, plan: TransferPlan, evaluation: Evaluation
) -> dict[str, Any]:
    """The values of `data`, `plan` and `metrics` in the manifest."""
    return {
        "data": data_facts(info),
        "plan": to_dict(plan),
        "metrics": {
            report.split: {
                **{name: getattr(report, name) for name in report.recorded},
                "examples": report.examples,
            }
            for report in evaluation.reports
        },
    }


def data_facts(info: DataInfo) -> dict[str, Any]:
    """The values of `data` in `report.json` and in the manifest."""
    return {
        "reference": info.reference,
        "fingerprint": info.fingerprint,
        "counts": info.counts,
        "skipped": reasons(info.skipped),
    }


def _rate(outcome: Outcome) -> float:
    """Of the last phase; of the pass that measured, if the head was only solved."""
    if outcome.history.phases:
        return outcome.history.phases[-1].images_per_second
    evidence = outcome.prepared.measured.evidence
    return evidence.examples_per_second if evidence else 0.0


def _phase(phase: PhaseResult) -> dict[str, Any]:
    values = dataclasses.asdict(phase)
    del values["receipt"], values["epochs"]
    return values


def without_nan(values: Any) -> Any:
    """The same values with `None` for numbers that JSON has no word for."""
    if isinstance(values, dict):
        return {name: without_nan(value) for name, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [without_nan(value) for value in values]
    if isinstance(values, float) and not math.isfinite(values):
        return None
    return values
