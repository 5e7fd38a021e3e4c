"""The table of the gate: a row for each condition, with what is missing."""

from pipelines.report.sections.gate import gate_table


def test_gate_table_has_a_row_for_each_condition():
    bound = {"condition": "test.loss<1", "value": 1.5, "passed": False}
    unknown = {"condition": "test.auroc>0", "value": None, "passed": False}
    compared = {
        "reference": "runs/a",
        "examples": 60,
        "difference": 0.01,
        "lower": -0.05,
        "margin": 0.02,
        "level": 0.025,
        "passed": False,
    }
    gate = {
        "minimum": [{**bound, "missed_by": 0.5}, {**unknown, "missed_by": None}],
        "not_worse_than": compared,
    }
    first, second, third = gate_table(gate).rows
    assert first == ("test.loss<1", "1.5000", "no", "0.5000")
    assert second == ("test.auroc>0", "-", "no", "-")
    assert third[0].endswith("below that in runs/a")
    assert third[2:] == ("no", "0.0300")


def test_no_gate_has_no_table():
    assert gate_table(None) is None
    assert gate_table({"minimum": [], "not_worse_than": None}).rows == []
