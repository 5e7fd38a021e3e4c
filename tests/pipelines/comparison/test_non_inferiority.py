"""The test of a margin: what it lets through, and what it costs, on made-up answers."""

import numpy as np
import pytest
from scipy.stats import norm

from pipelines.comparison.non_inferiority import non_inferior
from pipelines.comparison.paired import Discordant

MARGIN = 0.02


def _passed(difference, *, differ, examples=750, pairs=200, seed=0):
    """How many pairs pass, if `differ` of the answers are right in one model alone."""
    shares = [(differ + difference) / 2, (differ - difference) / 2, 1 - differ]
    drawn = np.random.default_rng(seed).multinomial(examples, shares, pairs)
    return sum(
        non_inferior(Discordant(worse, better), examples, margin=MARGIN).passed
        for better, worse, _ in drawn.tolist()
    )


@pytest.mark.parametrize("differ", [0.02, 0.03, 0.06, 0.1, 0.2, 0.33])
def test_worse_by_margin_passes_below_five_percent(differ):
    assert _passed(-MARGIN, differ=differ) < 10
    assert _passed(-MARGIN, differ=differ, examples=100) < 10


def test_equal_models_are_refused_as_documented():
    # The table of docs/howto/quality_gate.md.
    shares = {0.03: 0.84, 0.06: 0.59, 0.1: 0.40, 0.2: 0.24}
    for differ, expected in shares.items():
        passed = _passed(0, differ=differ, pairs=1000) / 1000
        assert passed == pytest.approx(expected, abs=0.05)
    assert _passed(0, differ=0.06, examples=3000, pairs=200) > 190
    assert _passed(0.02, differ=0.06) > 190


def test_lower_end_is_where_the_test_turns():
    counts = Discordant(20, 25)
    row = non_inferior(counts, 750, margin=MARGIN)
    assert row.passed
    assert row.difference == pytest.approx(5 / 750)
    at_end = -row.lower
    assert non_inferior(counts, 750, margin=at_end + 1e-6).passed
    assert not non_inferior(counts, 750, margin=at_end - 1e-6).passed
    # With many examples it is the plain interval of a difference of shares.
    many = non_inferior(Discordant(2000, 2500), 75000, margin=MARGIN)
    variance = 4500 / 75000 - (500 / 75000) ** 2
    plain = 500 / 75000 - norm.isf(0.025) * np.sqrt(variance / 75000)
    assert many.lower == pytest.approx(plain, abs=2e-5)


@pytest.mark.parametrize(
    ("counts", "examples", "passed"),
    [
        (Discordant(0, 0), 750, True),
        (Discordant(0, 0), 100, False),
        (Discordant(30, 0), 30, False),
        (Discordant(0, 30), 30, True),
    ],
)
def test_extreme_counts_have_a_finite_answer(counts, examples, passed):
    row = non_inferior(counts, examples, margin=MARGIN)
    assert row.passed is passed
    assert -1 <= row.lower <= row.difference
    assert (
        row.examples_needed > (examples if counts == Discordant(0, 0) else 0) or passed
    )


def test_margin_of_zero_asks_for_a_better_model():
    assert not non_inferior(Discordant(10, 10), 750, margin=0).passed
    better = non_inferior(Discordant(5, 30), 750, margin=0)
    assert better.passed
    assert better.examples_needed == 0
