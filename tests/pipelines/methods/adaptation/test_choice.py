"""Labelled target examples judge, or join training."""

import dataclasses

import numpy as np
import pytest

from pipelines.methods.adaptation.choice import Labelled, choose, join
from pipelines.planning.adaptation.methods import NONE
from tests.pipelines.methods.adaptation.gaussians import (
    SETTINGS,
    domains,
    drawn,
    right,
    shifted,
    shifted_domains,
)


def _labelled(rows, labels):
    return Labelled(rows.astype(np.float32), labels, np.arange(len(labels)))


def test_choose_adapts_where_labels_show_a_gain():
    both, truth = shifted_domains()
    choice = choose(both, _labelled(both.target[:60], truth[:60]), SETTINGS)
    assert choice.name != NONE
    assert {row.name for row in choice.candidates} == {
        "none",
        "mcc",
        "joined",
        "joined mcc",
    }
    before = right(both.probe, both.target[60:], truth[60:])
    assert right(choice.adapted.head, both.target[60:], truth[60:]) > before + 0.2


def test_choose_keeps_the_head_without_a_shift():
    source, labels = drawn(400, seed=1)
    target, truth = drawn(300, seed=2)
    source[np.arange(400), labels] += 10  # every answer is right
    target[np.arange(300), truth] += 10
    both = domains(source, labels, target)
    choice = choose(both, _labelled(target[:60], truth[:60]), SETTINGS)
    assert choice.name == NONE
    assert choice.adapted.head.kernel is both.probe.kernel


def test_join_needs_labelled_examples():
    both, truth = shifted_domains()
    with pytest.raises(ValueError, match="Labelled examples"):
        join(both, SETTINGS)
    with_some = dataclasses.replace(
        both,
        labelled=shifted(drawn(60, seed=5)[0]).astype("f4"),
        labelled_labels=drawn(60, seed=5)[1],
    )
    before = right(both.probe, both.target, truth)
    assert right(join(with_some, SETTINGS).head, both.target, truth) > before + 0.2
