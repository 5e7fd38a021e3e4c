"""Suggestions of a run, from a folder without labels."""

import json

import pytest

import pipelines
from pipelines.errors import ConfigError


def test_suggest_needs_no_class_folders(suggested):
    assert (suggested.examples, suggested.invalid) == (11, ("3.png",))
    assert [row.order for row in suggested.rows] == [1, 2, 3, 4]
    names = {row.name for row in suggested.rows}
    assert len(names) == 4
    assert names <= {f"{i}.png" for i in range(11)} | {"more & more/11.png"}
    for row in suggested.rows:
        assert row.predicted in suggested.class_names
        assert 0 <= row.margin <= row.confidence <= 1
    assert json.loads(json.dumps(suggested.values()))["examples"] == 11


def test_run_compares_with_its_own_examples(suggested, finished_run):
    report = json.loads((finished_run / "report.json").read_text())
    counts = report["data"]["counts"]
    assert suggested.labelled == sum(
        sum(of.values()) if isinstance(of, dict) else of for of in counts.values()
    )


def test_artifact_alone_has_no_labelled_examples(finished_run, unlabelled):
    alone = pipelines.suggest(finished_run / "artifact", str(unlabelled), n=99)
    assert (alone.labelled, len(alone.rows)) == (0, 11)


def test_count_below_one_is_refused(finished_run):
    with pytest.raises(ConfigError, match="ask for 1 example or more"):
        pipelines.suggest(finished_run, "dir:nothing", n=0)
