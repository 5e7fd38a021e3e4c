"""Runs with examples without labels: the head, its artifact, and what is refused."""

import dataclasses
import json

import numpy as np
import pytest

import pipelines
from pipelines.cli import main
from pipelines.data.readers.builtin import read
from pipelines.errors import DataError
from pipelines.run import run
from tests.support.small_runs import config_for


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ten digits: six of each with labels, and 400 without."""
    folder = tmp_path_factory.mktemp("unlabelled")
    examples = read("digits")
    x, y = examples.inputs.pixels, examples.labels
    order = np.random.default_rng(0).permutation(len(y))
    few = np.concatenate([order[y[order] == label][:6] for label in range(10)])
    others = np.setdiff1d(order, few)[:400]
    for name, rows in (("few", few), ("more", others)):
        np.savez(folder / f"{name}.npz", x=x[rows], y=y[rows].astype(str))
    return folder


@pytest.fixture(scope="module")
def config(folder, tmp_path_factory):
    return config_for(
        tmp_path_factory.mktemp("helped") / "run",
        data=f"npz:{folder / 'few.npz'}?validation=0.15&test=0.15",
        unlabelled=f"npz:{folder / 'more.npz'}",
    )


@pytest.fixture(scope="module")
def helped(config):
    return run(config)


def test_report_says_what_they_were_worth(helped):
    record = helped.report["unlabelled"]
    assert (record["examples"], record["known"]) == (400, 0)
    judged = record["judged"]
    assert judged["after"] - judged["before"] == pytest.approx(judged["gain"])
    assert record["reason"] in helped.report["plan"]["reason"]
    assert record["method"] == "propagation"
    (phase,) = helped.report["phases"]
    assert (phase["name"], phase["best_epoch"]) == ("unlabelled", 0)
    frozen = helped.report["receipt"]["unlabelled"]
    assert any(row["largest_change"] == 0 for row in frozen)


def test_artifact_answers_as_it_was_trained(helped, folder):
    manifest = json.loads((helped.artifact_dir / "zoo_artifact.json").read_text())
    assert manifest["parity"]["largest_difference"] < 1e-4
    with np.load(folder / "more.npz") as file:
        x, y = file["x"][:60], file["y"][:60]
    answers = pipelines.load(helped.artifact_dir).predict(list(x))
    assert np.mean([a.label == label for a, label in zip(answers, y)]) > 0.6


def test_classes_are_not_changed_from_labels_alone(helped, capsys):
    assert main(["add-class", str(helped.workdir), "--remove", "3"]) == 2
    assert "learned from the examples without labels" in capsys.readouterr().err


def test_pool_with_the_test_set_is_refused(config, tmp_path):
    both = dataclasses.replace(
        config, unlabelled=config.data.split("?")[0], workdir=str(tmp_path / "run")
    )
    with pytest.raises(DataError, match="in validation or test of the run"):
        run(both)
    assert not (tmp_path / "run" / "report.json").exists()
