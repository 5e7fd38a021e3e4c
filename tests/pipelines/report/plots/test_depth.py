"""Plots by depth name the first, the best and the last block."""

from pipelines.report.plots.depth import accuracy_by_depth, divergence_by_depth
from tests.support.evidence import evidence


def test_accuracy_names_the_best_block():
    plot = accuracy_by_depth(evidence(far=False))
    assert "0.400 at stem, best 0.700 at final, 0.700 at final" in plot
    assert ">middle</text>" in plot


def test_divergence_names_the_most():
    plot = divergence_by_depth(evidence(far=True))
    assert "0.5 nats at stem" in plot
    assert divergence_by_depth(evidence(far=False)) is None


def test_single_block_has_no_plot():
    single = evidence(far=True)
    single["depths"] = single["depths"][:1]
    assert accuracy_by_depth(single) is None
    assert divergence_by_depth(single) is None
