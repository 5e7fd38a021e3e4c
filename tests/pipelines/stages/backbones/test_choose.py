"""`backbone=auto` chooses among what is here, for problems of every kind."""

import dataclasses

import numpy as np
import pytest

import zoo
from pipelines.config import RunConfig
from pipelines.data.load import check_and_split, read
from pipelines.data.reference import DatasetRef
from pipelines.runtime.clock import Clock
from pipelines.stages.backbones.choose import applied, choose_backbone
from tests.support.labelled import in_arrays
from zoo.errors import MissingWeightsError, UnknownBackboneError


def _choice(splits, **fields):
    config = RunConfig(data="x", backbone="auto", **fields)
    config.auto.backbones = "auto_*"
    return choose_backbone(config, splits, Clock(), examples=60)


def _takes(size):
    return dataclasses.replace(zoo.get_spec("tiny_image").input, default_size_px=size)


def test_the_choice_is_compared_and_repeats(registered, splits):
    registered("auto_a", input=_takes(16))
    registered("auto_b", input=_takes(32))
    choice = _choice(splits)
    assert [row.backbone for row in choice.compared] == ["auto_a", "auto_b"]
    assert choice.backbone in ("auto_a", "auto_b")
    assert choice.input_size_px in (16, 32)
    assert choice.reason.startswith("The backbone is 'auto_")
    adds = [row.multiply_adds for row in choice.compared]
    assert adds[1] > 3 * adds[0] > 1000
    again = _choice(splits)
    assert (again.backbone, again.reason) == (choice.backbone, choice.reason)
    config = RunConfig(backbone="auto")
    config.auto.backbones = "auto_*"
    chosen = applied(config, choice)
    assert (chosen.backbone, chosen.input_size_px) == (
        choice.backbone,
        choice.input_size_px,
    )
    assert chosen.auto == RunConfig().auto


def test_the_only_candidate_is_not_measured(registered, splits):
    registered("auto_a")
    gone = zoo.WeightsFile("gone.h5", license="x", path="gone.h5")
    registered("auto_gone", weights=gone)
    choice = _choice(splits)
    assert (choice.backbone, choice.compared) == ("auto_a", ())
    assert "the only one on this machine" in choice.reason
    assert "`zoo fetch` brings others: auto_gone" in choice.reason


def test_without_weights_here_nothing_can_be_chosen(registered, splits):
    gone = zoo.WeightsFile("gone.h5", license="x", path="gone.h5")
    registered("auto_gone", weights=gone)
    with pytest.raises(MissingWeightsError, match="zoo fetch auto_gone"):
        _choice(splits)


def test_a_pattern_of_another_modality_is_refused(registered, splits):
    registered("auto_text", of="tiny_text")
    with pytest.raises(UnknownBackboneError, match="take texts, and the data"):
        _choice(splits)


LABELS = {
    "multi_label": ((np.arange(180).reshape(60, 3) % 2).astype(np.uint8), "abc"),
    "regression": (np.linspace(0, 1, 60, dtype=np.float32), "x"),
    "ordinal": (np.arange(60) % 3, ("1 low", "2 mid", "3 high")),
}


@pytest.mark.parametrize("problem", LABELS)
def test_other_labels_are_compared_by_their_metric(problem, registered, tmp_path):
    registered("auto_a", input=_takes(8))
    registered("auto_b", input=_takes(16))
    y, names = LABELS[problem]
    ref = DatasetRef.parse(in_arrays(tmp_path, y, class_names=list(names)))
    choice = _choice(check_and_split(read(ref, problem), ref), problem=problem)
    assert len(choice.compared) == 2
    assert choice.metric != "accuracy"
    assert all(row.standard_error >= 0 for row in choice.compared)
