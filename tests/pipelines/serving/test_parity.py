"""Parity finds what differs, each output on its own scale, and names it."""

import numpy as np
import pytest

from pipelines.serving import parity
from pipelines.serving.parity import DifferentError, Expected, Yardstick


def _wanted(rows=3, **margins):
    return {
        "serving_default/3/probabilities": Expected(
            np.full((rows, 2), 0.5, np.float32)
        ),
        "serving_default/3/label": Expected(np.array([b"cat"] * rows), margins),
        "serving_default/3/valid": Expected(np.ones(rows, bool)),
    }


def _found(shift=0.0, label=b"cat", rows=3):
    return {
        "serving_default/3/probabilities": np.full((rows, 2), 0.5 + shift, np.float32),
        "serving_default/3/label": np.array([label] * rows, object),
        "serving_default/3/valid": np.ones(rows, bool),
    }


def test_equal_outputs_give_a_record():
    record = parity.compare(_wanted(), _found(shift=1e-6), Yardstick())
    assert record["outputs_compared"] == 3
    assert record["batch_sizes"] == [3]
    assert record["largest_difference"] == pytest.approx(1e-6, rel=0.1)
    assert record["tolerance"] == 1e-5
    assert record["output"] == "serving_default/3/probabilities"


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (_found(shift=0.01), "probabilities by 0.01 for row 0, and 1e-05 is allowed"),
        (_found(shift=np.nan), "probabilities by inf"),
        (_found(label=b"dog"), "label is another one for row 0"),
        (_found(rows=2), "has another type or shape"),
    ],
)
def test_a_difference_is_refused_by_name(found, message):
    with pytest.raises(DifferentError, match=message):
        parity.compare(_wanted(), found, Yardstick())


def test_a_missing_output_is_refused():
    found = _found()
    del found["serving_default/3/valid"]
    with pytest.raises(DifferentError, match="lacks or adds .*valid"):
        parity.compare(_wanted(), found, Yardstick())


def test_the_bound_follows_the_noise_between_two_limits():
    quiet, noisy, wild = (
        Yardstick(noise={"features": noise}) for noise in (1e-9, 3e-5, 1.0)
    )
    assert quiet.bound("features") == 1e-5
    assert noisy.bound("features") == pytest.approx(3e-4)
    assert wild.bound("features") == 2e-3
    assert Yardstick(noise={"features": 1.0}, is_coarse=True).bound("features") == 0.04


def test_label_may_differ_only_where_undecided():
    other = _found()
    other["serving_default/3/label"][1] = b"dog"
    tie = np.array([0.3, 1e-6, 0.3])
    record = parity.compare(_wanted(probabilities=tie), other, Yardstick())
    assert record["outputs_compared"] == 3
    with pytest.raises(DifferentError, match="label is another one for row 1"):
        parity.compare(_wanted(probabilities=tie[::-1] * 1e3), other, Yardstick())


def test_feature_parts_are_measured_by_own_norms():
    """A block with small numbers beside one with large ones; and single elements."""
    values = np.concatenate([np.full((2, 4), 100.0), np.full((2, 4), 0.1)], axis=1)
    yardstick = Yardstick(parts=((4, 200.0), (4, 0.2)))
    wanted = {"features/2/features": Expected(values.astype(np.float32))}

    def compare(change):
        return parity.compare(
            wanted, {"features/2/features": (values + change).astype("f4")}, yardstick
        )

    large, small = np.zeros(8), np.zeros(8)
    large[0] = small[4] = 1e-3  # relative to the norms 200 and 0.2: 5e-6 and 5e-3
    assert compare(large)["largest_difference"] == pytest.approx(5e-6, rel=0.05)
    with pytest.raises(DifferentError, match=r"features by 0.005 "):
        compare(small)


def test_tiny_part_is_measured_by_the_whole():
    values = np.concatenate([np.full((2, 4), 1.0), np.full((2, 4), 1e-9)], axis=1)
    yardstick = Yardstick(parts=((4, 2.0), (4, 2e-9)))
    wanted = {"features/2/features": Expected(values.astype(np.float32))}
    found = {"features/2/features": np.maximum(values, 2e-9).astype(np.float32)}
    assert parity.compare(wanted, found, yardstick)["largest_difference"] < 1e-5


def test_report_has_every_output_and_worst_example():
    yardstick = Yardstick(examples={"serving_default": ["a.jpg", "b.jpg", "c.jpg"]})
    found = _found()
    found["serving_default/3/probabilities"][1] += 0.25
    with pytest.raises(DifferentError, match=r"for b\.jpg") as refused:
        parity.compare(_wanted(), found, yardstick)
    first, *others = refused.value.report["outputs"]
    assert len(others) == 2
    assert all(one["agrees"] for one in others)
    assert first == {
        "output": "serving_default/3/probabilities",
        "agrees": False,
        "measured": "probabilities",
        "largest_difference": 0.25,
        "noise": 0.0,
        "bound": 1e-5,
        "example": "b.jpg",
        "undecided": 0,
    }
