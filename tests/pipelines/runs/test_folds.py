"""Runs with folds: every example is answered out of fold, also if cut short."""

import json

import numpy as np
import pytest

import pipelines
from pipelines.data.reference import DatasetRef
from pipelines.report.predictions import FILE_NAME
from pipelines.run import run
from pipelines.runs.prepare import prepare
from pipelines.runtime.clock import Clock
from pipelines.stages.folds import solve
from pipelines.stages.folds.solve import solve_folds
from pipelines.stages.head import add_head
from tests.support.small_runs import config_for

COUNT = 3


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A run that ended in its second fold, and was started again."""
    config = config_for(tmp_path_factory.mktemp("folds") / "run", folds=COUNT)
    answers, calls = solve.outputs_of, []

    def ends(*arguments, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return answers(*arguments, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(solve, "outputs_of", ends)
        with pytest.raises(KeyboardInterrupt):
            run(config)
    return config, run(config)


def test_a_run_cut_short_solves_the_same_heads(interrupted):
    config, finished = interrupted
    prepared = prepare(config, DatasetRef.parse(config.data), Clock())
    model = add_head(prepared.base, **prepared.head())
    solve_folds(model, prepared.splits, prepared.measured, prepared.plan, count=COUNT)
    ours, theirs = model.model.get_weights(), finished.model.get_weights()
    for value, expected in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(value, expected)


def test_validation_is_out_of_fold(interrupted):
    config, finished = interrupted
    report = finished.report
    counts = report["data"]["counts"]
    every = sum(sum(counts[name].values()) for name in ("train", "validation"))
    assert report["validation"]["examples"] == every == 100
    assert report["validation"]["accuracy"] == pytest.approx(
        report["folds"]["out_of_fold"]
    )
    assert sum(report["folds"]["examples"]) == every
    lines = (finished.workdir / FILE_NAME).read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    held_out = [row for row in rows if row["split"] == "validation"]
    assert len({row["example"] for row in held_out}) == len(held_out) == every
    right = np.mean([row["label"] == row["predicted"] for row in held_out])
    assert right == pytest.approx(report["folds"]["out_of_fold"])
    assert not (finished.workdir / "checkpoints" / "features.npz").exists()


def test_the_artifact_has_the_average(interrupted):
    _, finished = interrupted
    report = finished.report
    assert report["parity"]["largest_difference"] < 1e-4
    (phase,) = report["phases"]
    assert (phase["name"], phase["solved"]) == ("folds", True)
    frozen = report["receipt"]["folds"][:-1]
    assert {row["largest_change"] for row in frozen} == {0.0}
    predictor = pipelines.load(finished.artifact_dir)
    assert predictor.artifact.manifest.plan["phases"][0]["name"] == "folds"


def test_networks_of_folds_leave_the_best(tmp_path):
    config = config_for(tmp_path / "run", folds=2, fold_head="best", strategy="partial")
    config.head.epochs = config.finetune.epochs = 1
    finished = run(config)
    report = finished.report
    scores = report["folds"]
    own = scores["examples"][scores["chosen"]]
    assert report["validation"]["examples"] == own < sum(scores["examples"])
    assert report["validation"]["accuracy"] == pytest.approx(
        scores["per_fold"][scores["chosen"]]
    )
    assert report["phases"][0]["name"] != "folds"
    rows = map(json.loads, (finished.workdir / FILE_NAME).read_text().splitlines())
    held_out = [row["example"] for row in rows if row["split"] == "validation"]
    assert len(set(held_out)) == len(held_out) == own
    assert report["parity"]["largest_difference"] < 1e-4
