"""Settings have every field of the config, and how far weights are known."""

import dataclasses

from pipelines.display.records import dotted
from pipelines.report.sections.settings import settings


def test_every_field_of_the_config_is_shown(files):
    fields = [row[0] for row in settings(files)["config"].rows]
    assert fields == list(dotted(files.config))


def test_unpinned_weights_are_marked(files):
    unpinned = {**files.report["backbone"], "unpinned": True}
    report = {**files.report, "backbone": unpinned}
    facts = settings(dataclasses.replace(files, report=report))["facts"].rows
    assert "no hash of them is known" in dict(facts)["weights of the backbone"]
