"""Runs side by side: measures, settings, and what cannot be compared."""

import json

import pytest

import pipelines
from pipelines.comparison.compare import compare
from pipelines.errors import ConfigError
from tests.support.finished_runs import finished

FIRST = [(f"{i}.jpg", "ab"[i % 2], "a", 0.9) for i in range(40)]
BETTER = [(name, label, label, 0.9) for name, label, *_ in FIRST]


@pytest.fixture
def folders(tmp_path):
    config = {"head": {"dropout": 0.5}}
    return [
        finished(tmp_path / "first", FIRST),
        finished(tmp_path / "better", BETTER, config=config),
        finished(tmp_path / "again", FIRST, config={"seed": 1}),
    ]


def test_compare_measures_every_run_against_the_first(folders):
    compared = compare(folders, resamples=50)
    assert compared.examples == 40
    assert [run.accuracy for run in compared.runs] == [0.5, 1.0, 0.5]
    assert [run.seconds for run in compared.runs] == [12.5] * 3
    assert [row.run for row in compared.against] == [str(f) for f in folders[1:]]
    better, again = compared.against
    assert (better.discordant.only_first, better.discordant.only_other) == (0, 20)
    assert better.differences["accuracy"].p == pytest.approx(2 / 2**20)
    assert again.differences["accuracy"].p == 1
    assert compared.config == {"head.dropout": [None, 0.5, None], "seed": [0, 0, 1]}
    assert json.loads(json.dumps(compared.values()))["runs"][1]["accuracy"] == 1


def test_same_runs_give_the_same_numbers(folders):
    assert compare(folders, resamples=9) == compare(folders, resamples=9)


def test_compare_needs_two_different_runs(folders):
    with pytest.raises(ConfigError, match="two runs or more, and 1 came"):
        pipelines.compare(folders[0])
    with pytest.raises(ConfigError, match="came twice"):
        pipelines.compare(*folders[:2], f"{folders[0]}/../first")
    assert pipelines.compare(*map(str, folders[:2])).examples == 40
