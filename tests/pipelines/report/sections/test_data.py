"""The section of the data has the card in short."""

import dataclasses

from pipelines.report.sections.data import data
from tests.support.run_pages import run_of


def test_card_in_short_with_samples(files):
    values = data(files)
    facts = dict(values["facts"].rows)
    assert facts["modality"] == "image"
    assert facts["examples, test"] == files.report["test"]["examples"]
    assert values["sizes"].rows[0][0] == "width"
    assert [name for name, _ in values["samples"]] == files.report["class_names"]


def test_older_run_has_facts_without_a_card(files):
    values = data(dataclasses.replace(files, card={}, gallery=None))
    assert (values["sizes"], values["samples"], values["notes"]) == (None, [], [])
    assert "fingerprint" in dict(values["facts"].rows)


def test_many_classes_are_cut_off(files):
    values = data(run_of(files, [f"class {k}" for k in range(1200)], examples=1200))
    assert len(values["classes"].rows) == 20
    assert len(values["others"].rows) == 980
