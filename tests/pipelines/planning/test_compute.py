"""The choice of a number format from measurements."""

import json

import pytest

from pipelines.planning.compute import (
    FLOAT32,
    Compute,
    StepTrial,
    fastest,
    from_dict,
    is_repaid,
    to_dict,
)

PLAIN = StepTrial(FLOAT32, xla=False, seconds=1.2)


def mixed(seconds, **fields):
    return StepTrial("mixed_bfloat16", **{"xla": False, "seconds": seconds, **fields})


@pytest.mark.parametrize(
    ("other", "chosen"),
    [
        (mixed(1.0), "mixed_bfloat16"),  # exactly what counts
        (mixed(1.01), FLOAT32),
        (mixed(2.0), FLOAT32),
        (mixed(0.5, logit_difference=0.1), "mixed_bfloat16"),
        (mixed(0.5, logit_difference=0.11), FLOAT32),
        (mixed(0.5, logit_difference=float("nan")), FLOAT32),
        (mixed(0.5, loss_difference=0.06), FLOAT32),
        (mixed(0.5, loss_difference=float("inf")), FLOAT32),
    ],
)
def test_fastest_clear_gain_is_taken(other, chosen):
    found = fastest([PLAIN, other])
    assert found.precision == chosen
    assert found.trials == (PLAIN, other)


def test_xla_is_taken_where_it_is_fastest():
    trials = [PLAIN, mixed(1.0), mixed(0.4, xla=True)]
    assert (fastest(trials).precision, fastest(trials).xla) == ("mixed_bfloat16", True)
    slower = [PLAIN, mixed(1.0), mixed(3.0, xla=True)]
    assert (fastest(slower).precision, fastest(slower).xla) == ("mixed_bfloat16", False)


def test_the_reason_says_what_was_measured():
    assert fastest([PLAIN, mixed(0.4)]).reason == (
        "a step in float32 takes 1.2 s; in mixed_bfloat16 0.4 s (3.00 times as fast)"
    )
    assert "(1.09 times as fast, not 1.2)" in (fastest([PLAIN, mixed(1.1)]).reason)
    strange = fastest([PLAIN, mixed(0.4, logit_difference=0.5)])
    assert "but logits differ by 50.0% of their spread" in strange.reason


def test_short_training_does_not_repay_comparison():
    assert is_repaid(200.0, 10.0)
    assert not is_repaid(199.0, 10.0)


def test_it_comes_back_from_json_as_it_was():
    for one in (fastest([PLAIN, mixed(0.4)]), Compute(FLOAT32, reason="as it is")):
        assert from_dict(json.loads(json.dumps(to_dict(one)))) == one
    with pytest.raises(KeyError):
        from_dict({"precision": FLOAT32})
