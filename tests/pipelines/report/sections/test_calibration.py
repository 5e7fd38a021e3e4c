"""The section of calibration has its curves, or says why not."""

import copy
import dataclasses

from pipelines.report.sections.calibration import calibration
from tests.support.run_pages import run_of


def test_curves_before_and_after_and_coverage(files):
    values = calibration(run_of(files, ["one", "two"], examples=100))
    assert len(values["reliability"]) == 2
    assert values["coverage"]
    assert [row[0] for row in values["bins"].rows] == ["before"] * 5 + ["after"] * 5
    assert values["points"].rows[0][2] == 1.0


def test_five_examples_have_no_diagram(files):
    values = calibration(run_of(files, ["one", "two"], examples=5))
    assert (values["has_curves"], values["has_reliability"]) == (True, False)


def test_older_report_has_no_curves(files):
    report = copy.deepcopy(files.report)
    for split in ("test", "validation"):
        report["calibration"][split].pop("curves")
    values = calibration(dataclasses.replace(files, report=report))
    assert not values["has_curves"]
    assert values["reliability"] == []
    assert len(values["tables"]) == 4
