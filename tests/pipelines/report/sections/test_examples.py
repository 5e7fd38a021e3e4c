"""Examples to look at are grouped, and say what is missing."""

from __future__ import annotations

import dataclasses

from pipelines.report.gallery_files import Gallery
from pipelines.report.sections.examples import by_class, examples, figures
from tests.support.run_pages import run_of

NAMES = ["one", "two", "three"]


def test_mistakes_unfold_after_the_first(files):
    values = examples(run_of(files, NAMES, examples=600, accuracy=0.8))
    assert len(values["mistakes"]) == 16
    assert len(values["more_mistakes"]) == 60 - 16
    assert all(x["is_wrong"] and x["picture"] for x in values["mistakes"])
    assert (values["has_heat"], values["lost"]) == (True, 0)


def test_figure_has_the_kept_prediction(files):
    run = run_of(files, NAMES, examples=30, accuracy=0.5)
    (figure,) = figures(run, [run.gallery.examples[0]])
    row = run.predictions_of["test"][run.gallery.examples[0].row]
    assert figure["path"] == row.example
    assert figure["name"] == row.example.rsplit("/", 1)[-1]
    assert figure["accepted"] == row.accepted


def test_pictures_that_moved_away_are_counted(files):
    run = run_of(files, NAMES, examples=30, pictures=False)
    assert examples(run)["lost"] == len(run.gallery.examples) > 0


def test_groups_follow_the_order_of_classes(files):
    run = run_of(files, NAMES, examples=30)
    assert [name for name, _ in by_class(run, "typical")] == NAMES


def test_older_run_has_no_examples(files):
    older = dataclasses.replace(files, gallery=None)
    assert examples(older) is None
    assert by_class(older, "sample") == []


def test_series_and_texts_need_no_picture(files):
    run = run_of(files, NAMES, examples=3)
    first = dataclasses.replace(run.gallery.examples[0], picture=None, heat=None)
    series = dataclasses.replace(first, series=[[0.0, 1.0]])
    text = dataclasses.replace(first, text="words", row=1)
    run = dataclasses.replace(run, gallery=Gallery("series", (series, text)))
    drawn, written = figures(run, [series, text])
    assert "<svg" in drawn["series"]
    assert (written["text"], written["series"]) == ("words", None)
