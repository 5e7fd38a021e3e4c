"""The table of classes begins with the worst."""

from pipelines.report.sections.classes import classes
from tests.support.run_pages import run_of


def test_worst_class_comes_first_and_unseen_last(files):
    run = run_of(files, ["one", "two", "three"], examples=90)
    scores = run.report["test"]["per_class"]
    scores["two"]["f1"], scores["one"]["f1"] = 0.1, 0.0
    scores["one"]["examples"] = 0
    assert [row[0] for row in classes(run)["worst"].rows] == ["two", "three", "one"]


def test_thousands_of_classes_are_cut_off(files):
    run = run_of(files, [f"class {k}" for k in range(1200)], examples=1200)
    values = classes(run)
    assert len(values["worst"].rows) == 20
    assert len(values["others"].rows) == 980
    assert values["more"] == 200
