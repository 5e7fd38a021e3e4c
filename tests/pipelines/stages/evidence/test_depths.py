"""The best block beside the last one, and heads on the network cut after it."""

import dataclasses

import numpy as np
import pytest

import zoo
from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.problems.single_label import SingleLabel
from pipelines.stages.evidence.compare import compare_head_inputs
from pipelines.stages.evidence.depths import with_depths

PROBLEM = SingleLabel("abc")
LABELS = np.arange(150) % 3


@pytest.fixture(scope="module")
def base():
    return zoo.build("tiny_image", weights=None)


@pytest.fixture(scope="module")
def features():
    """Only `block1` knows the classes, by its averages."""
    rng = np.random.default_rng(0)
    widths = {"stem": 4, "block1": 4, "block2": 8, "block3": 8}
    values = {
        (name, grid): rng.normal(size=(150, width * grid**2)).astype(np.float32)
        for name, width in widths.items()
        for grid in (1, 2)
    }
    values["block1", 1][:, :3] += 3 * np.eye(3)[LABELS]
    return values


@pytest.fixture(scope="module")
def evidence(base, features):
    return compare_head_inputs(
        base, features, LABELS, None, PROBLEM, seed=0, rate=100.0
    )


def _compared(evidence, base, features, problem=PROBLEM, **fields):
    config = RunConfig(backbone="tiny_image", strategy=fields.pop("strategy", "auto"))
    for name, value in fields.items():
        setattr(config.head, name, value)
    return with_depths(evidence, base, features, LABELS, None, problem, config)


def test_clearly_better_block_is_where_auto_could_cut(evidence, base, features):
    compared = _compared(evidence, base, features)
    assert compared.depth.block == compared.depth.cut_after == "block1"
    assert compared.depth.over_last.is_clear
    assert not compared.is_similar
    assert [(cut.reads, cut.grid) for cut in compared.cuts] == [
        (("block1",), 1),
        (("stem", "block1"), 1),
        (("stem", "block1"), 2),
    ]
    assert compared.depth.of_cut.gain > 0
    assert compared.heads == evidence.heads


def test_named_strategies_compare_depths_alone(evidence, base, features):
    for strategy in ("head_only", "full"):
        compared = _compared(evidence, base, features, strategy=strategy)
        assert compared.depth.over_last.is_clear
        assert (compared.cuts, compared.depth.of_cut) == ((), None)


def test_cut_is_after_the_named_block(evidence, base, features):
    fields = {"strategy": "cut", "cut_after": "block2"}
    compared = _compared(evidence, base, features, **fields)
    assert (compared.depth.block, compared.depth.cut_after) == ("block1", "block2")
    assert {cut.reads[-1] for cut in compared.cuts} == {"block2"}
    with pytest.raises(
        ConfigError, match="cut_after is 'block9', and the backbone 'ti"
    ):
        _compared(evidence, base, features, strategy="cut", cut_after="block9")


def test_metrics_of_no_example_have_unpaired_errors(evidence, base, features):
    problem = SingleLabel("abc")
    problem.counts_mistakes = False
    compared = _compared(evidence, base, features, problem)
    paired = _compared(evidence, base, features)
    assert compared.depth.over_last.gain == pytest.approx(paired.depth.over_last.gain)
    errors = [one.depth.over_last.standard_error for one in (compared, paired)]
    assert errors[0] != errors[1]


def test_network_read_at_one_block_is_not_compared(evidence, base, features):
    single = dataclasses.replace(evidence, depths=evidence.depths[-1:])
    assert _compared(single, base, features) is single
    assert _compared(evidence, base, features, pooling="max") is evidence
