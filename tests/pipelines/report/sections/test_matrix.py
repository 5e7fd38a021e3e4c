"""The values of the confusion matrix are the counts, and lead to examples."""

from __future__ import annotations

import dataclasses

from pipelines.report.sections.matrix import matrices
from tests.support.run_pages import run_of


def test_cells_count_every_example(files):
    run = run_of(files, ["one", "two", "three"], examples=90)
    test, validation = matrices(run)["splits"]
    assert (test["split"], validation["split"]) == ("test", "validation")
    assert sum(n for *_, n in test["cells"]) == sum(test["totals"]) == 90
    rows = run.predictions_of["test"]
    for i, j, n in test["cells"]:
        pair = (test["names"][i], test["names"][j])
        assert n == sum((row.label, row.predicted) == pair for row in rows)


def test_examples_of_a_cell_stand_once(files):
    run = run_of(files, ["one", "two", "three"], examples=900, accuracy=0.8)
    test = matrices(run)["splits"][0]
    assert test["figures"]
    assert test["listed"]
    assert max(map(len, test["listed"].values())) == 12
    drawn = {f"test-{x.row}" for x in run.gallery.examples if x.split == "test"}
    assert {key for keys in test["figures"].values() for key in keys} == drawn
    rows = run.predictions_of["test"]
    named = {rows[int(key.removeprefix("test-"))].example for key in drawn}
    listed = {name for cell in test["listed"].values() for name, *_ in cell}
    assert not named & listed


def test_many_classes_keep_those_with_errors(files):
    names = [f"class {k}" for k in range(1000)]
    run = run_of(files, names, examples=3000, accuracy=0.99)
    values = matrices(run)
    assert (values["classes"], values["left_out"]) == (200, 800)
    kept = set(values["splits"][0]["names"])
    wrong = {row.label for row in run.predictions_of["test"] if not row.is_right}
    assert wrong <= kept


def test_listed_examples_are_bounded(files):
    names = [f"class {k}" for k in range(150)]
    run = run_of(files, names, examples=20_000, accuracy=0.5)
    listed = matrices(run)["splits"][0]["listed"]
    assert sum(map(len, listed.values())) == 4000


def test_single_class_in_test(files):
    run = run_of(files, ["one"], examples=7, accuracy=1.0)
    test = matrices(run)["splits"][0]
    assert test["cells"] == [(0, 0, 7)]


def test_older_run_lists_nothing(files):
    run = dataclasses.replace(files, predictions=None, gallery=None)
    values = matrices(run)
    assert not values["has_predictions"]
    assert [split["listed"] for split in values["splits"]] == [{}, {}]
