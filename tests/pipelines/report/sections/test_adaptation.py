"""The section of a target: before, after, shares and candidates."""

import dataclasses

from pipelines.report.sections.adaptation import adaptation

_BEFORE = {
    "distance": 1.5,
    "source_shares": [0.5, 0.5],
    "target_shares": [0.9, 0.1],
    "source_confidence": 0.9,
    "target_confidence": 0.6,
    "validation_accuracy": 0.95,
}


def _run(files, **fields):
    record = {
        "asked": "auto",
        "method": "none",
        "target": "dir:phone",
        "examples": 40,
        "before": _BEFORE,
        "after": None,
        "candidates": [],
        **fields,
    }
    report = {**files.report, "class_names": ["a", "b"], "adaptation": record}
    return dataclasses.replace(files, report=report)


def test_runs_without_a_target_have_no_section(files):
    assert adaptation(files) is None


def test_unadapted_target_has_numbers_before(files):
    values = adaptation(_run(files))
    assert "the one of the source" in values["sentence"]
    assert values["measured"].rows[0][1:] == (1.5, None)
    assert values["shares"].rows == [("a", 0.5, 0.9, None), ("b", 0.5, 0.1, None)]
    assert values["candidates"] is None


def test_adapted_target_has_both_and_candidates(files):
    after = {**_BEFORE, "distance": 0.2, "target_shares": [0.6, 0.4]}
    row = {"name": "mcc", "accuracy": 0.8, "gain": 0.1, "standard_error": 0.05}
    values = adaptation(_run(files, method="mcc", after=after, candidates=[row]))
    assert "adapted by mcc" in values["sentence"]
    assert values["measured"].rows[0][1:] == (1.5, 0.2)
    assert values["shares"].rows[0] == ("a", 0.5, 0.9, 0.6)
    assert values["candidates"].rows == [("mcc", 0.8, 0.1, 0.05)]
