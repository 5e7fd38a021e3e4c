"""The result in a sentence has the counts and the interval."""

from pipelines.report.sections.result import result
from tests.support.run_pages import run_of


def test_sentence_has_counts_and_interval(files):
    run = run_of(files, ["one", "two"], examples=200, accuracy=0.9)
    right = sum(row.is_right for row in run.predictions_of["test"])
    assert f"{right} of 200 test images answered right" in result(run)["sentence"]
    assert "(95% interval " in result(run)["sentence"]
    assert result(run)["accuracy"] == f"{right / 200:.1%}"


def test_older_run_has_no_baselines_and_no_modality(files):
    run = run_of(files, ["one"], examples=1, accuracy=1.0)
    run.report.pop("baselines")
    object.__setattr__(run, "card", {})
    values = result(run)
    assert values["accuracy"] == "100%"
    assert "1 of 1 test example answered" in values["sentence"]
    assert not [name for name, _ in values["figures"] if name.endswith("alone")]


def test_table_has_both_splits(files):
    table = result(files)["table"]
    assert [row[0] for row in table.rows] == ["test", "validation"]
    assert all(len(row) == len(table.header) for row in table.rows)
