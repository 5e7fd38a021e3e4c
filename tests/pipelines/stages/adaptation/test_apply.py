"""Runs that adapt: the artifact answers the target, without discriminators."""

import dataclasses
import json

import numpy as np
import pytest

import pipelines
from pipelines.classes.adapt import adapt_run
from pipelines.cli import main
from pipelines.run import run
from pipelines.stages.adaptation.apply import apply_adaptation, set_head
from pipelines.stages.adaptation.decide import decide_adaptation
from pipelines.stages.head import add_head
from tests.support import two_domains


@pytest.fixture(scope="module")
def adapted(adapting):
    return run(adapting("dann"))


def test_artifact_answers_the_target_better(adapted, domains_folder):
    with np.load(domains_folder / two_domains.TARGET) as file:
        x, y = file["x"], file["y"]
    answers = pipelines.load(adapted.artifact_dir).predict(list(x))
    right = np.mean([a.label == label for a, label in zip(answers, y)])
    assert right > 0.6


def test_artifact_has_no_judge_of_domains(adapted):
    names = [layer.name for layer in adapted.model.layers]
    assert names[-3:] == ["hidden_0", "head_dropout", "logits"]
    assert not any("reversal" in name for name in names)
    manifest = json.loads((adapted.artifact_dir / "zoo_artifact.json").read_text())
    assert manifest["parity"]["largest_difference"] < 1e-4


def test_report_has_before_and_after(adapted):
    record = adapted.report["adaptation"]
    assert (record["asked"], record["method"]) == ("dann", "dann")
    assert record["after"]["distance"] < record["before"]["distance"]
    assert [phase["name"] for phase in adapted.report["phases"]] == ["adapt"]
    frozen = [row for row in adapted.report["receipt"]["adapt"] if not row["trainable"]]
    assert frozen
    assert all(row["largest_change"] == 0 for row in frozen)
    page = (adapted.workdir / "report.html").read_text()
    assert "proxy A-distance" in page


def test_head_with_layers_is_not_adapted_again(adapted, capsys, domains_folder):
    target = f"npz:{domains_folder / two_domains.TARGET}"
    assert main(["adapt", str(adapted.workdir), "--target", target]) == 2
    assert "trained layers of its own" in capsys.readouterr().err
    with pytest.raises(Exception, match="layers of its own"):
        adapt_run(adapted.workdir, target=target)


def test_set_head_gives_layers_its_numbers(prepared, adapting):
    read = dataclasses.replace(prepared.target, labelled=None)
    decided = decide_adaptation(read, prepared.plan, adapting("coral"), prepared.base)
    model = add_head(prepared.base, **prepared.head())
    set_head(model, decided.adapted.head)
    kernel, bias = model.logits_layer.get_weights()
    np.testing.assert_array_equal(kernel, decided.adapted.head.kernel)
    np.testing.assert_array_equal(bias, decided.adapted.head.bias)


def test_batchnorm_moves_statistics_alone(prepared, adapting):
    config = adapting("batchnorm")
    read = dataclasses.replace(prepared.target, labelled=None)
    before = prepared.base.model.get_weights()
    decided = decide_adaptation(read, prepared.plan, config, prepared.base)
    model = add_head(prepared.base, **prepared.head())
    try:
        trained = apply_adaptation(model, prepared.splits, read, decided)
    finally:
        prepared.base.model.set_weights(before)
    (phase,) = trained.history.phases
    blocks = [row for row in phase.receipt if not row.trainable]
    assert any(row.statistics_change > 0 for row in blocks)
    assert trained.adaptation.after.distance < trained.adaptation.before.distance + 0.1
