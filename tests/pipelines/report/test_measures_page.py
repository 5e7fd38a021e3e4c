"""The page of a run on numbers or several labels."""

import dataclasses

import numpy as np

from pipelines.problems import label_reports, number_reports
from pipelines.report import run_files, run_page


def page_of(finished_run, made, problem, calibration):
    """The page of a finished run as if its report were another one."""
    files = run_files.read(finished_run)
    report = {
        **files.report,
        "problem": problem,
        "headline": list(made.headline),
        "test": dataclasses.asdict(made),
        "validation": dataclasses.asdict(made),
        "baselines": {"median_of_training": 2.5},
        "calibration": {"reason": "From 60 examples.", "test": calibration},
    }
    return run_page.page(dataclasses.replace(files, report=report))


def test_numbers_have_their_errors_and_intervals(finished_run):
    truth = np.float32([[0], [1], [2], [4]])
    answers = {
        "values": truth + 0.5,
        "lower": truth - 1,
        "upper": truth + 1,
        "accepted": np.ones(4, bool),
    }
    made = number_reports.report("test", truth, answers, ("<b>size</b>",))
    held = [{"level": 0.9, "promised": 0.9, "coverage": 0.875}]
    page = page_of(finished_run, made, "regression", {"intervals": held})
    assert "mean absolute error" in page
    assert "median of training" in page
    assert "0.8750" in page
    assert "<b>size" not in page
    assert "&lt;b&gt;size" in page


def test_labels_have_a_row_each(finished_run):
    labels = np.float32([[1, 0], [0, 1], [1, 1]])
    made = label_reports.report("test", labels, labels, labels > 0, ("cat", "dog"))
    page = page_of(finished_run, made, "multi_label", {"accepted": 1.0})
    assert "mean average precision" in page
    assert "cat" in page
    assert "Intervals, on test" not in page
