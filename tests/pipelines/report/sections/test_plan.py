"""The section of the plan has its reasons, and plots by depth where measured."""

import dataclasses

from pipelines.report.sections.plan import plan
from tests.support.evidence import evidence


def test_plan_has_reasons_and_tables(files):
    values = plan(files)
    assert values["reasons"] == files.plan["reason"].splitlines()
    depths = files.plan["evidence"]["depths"]
    assert len(values["evidence"]["depths"].rows) == len(depths)
    assert values["evidence"]["accuracy"]


def test_divergence_shows_where_measured(files):
    for far in (True, False):
        run = dataclasses.replace(
            files, plan={**files.plan, "evidence": evidence(far=far)}
        )
        values = plan(run)["evidence"]
        assert values["has_divergence"] == (values["divergence"] is not None) == far


def test_plan_without_evidence(files):
    run = dataclasses.replace(files, plan={**files.plan, "evidence": None})
    assert plan(run)["evidence"] is None


def test_plan_shows_compared_backbones(files):
    assert plan(files)["backbones"] is None
    row = {
        "backbone": "tiny",
        "input_size_px": 16,
        "accuracy": 0.9,
        "behind": 0.0,
        "standard_error": 0.0,
        "multiply_adds": 1000,
    }
    choice = {"metric": "accuracy", "compared": [row]}
    run = dataclasses.replace(files, report={**files.report, "backbone_choice": choice})
    assert plan(run)["backbones"].rows == [("tiny", 16, 0.9, 0.0, 0.0, 1000)]
