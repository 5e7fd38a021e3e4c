"""The best scores are the most accurate ones, and decide if data are similar."""

from __future__ import annotations

import pytest

from pipelines.planning.evidence import Evidence, ProbeScore


def score(block: str, accuracy: float, squared_error: float = 0.5) -> ProbeScore:
    return ProbeScore(
        reads=(block,),
        grid=1,
        width=8,
        accuracy=accuracy,
        standard_error=0.02,
        squared_error=squared_error,
        penalty=1.0,
        sharpness=1.0,
    )


def evidence(*depths: ProbeScore) -> Evidence:
    return Evidence(
        examples=100,
        depths=depths,
        heads=depths,
        majority_accuracy=0.1,
        pixel_accuracy=None,
        examples_per_second=1.0,
    )


def test_best_depth_between_equals_has_smaller_error() -> None:
    measured = evidence(score("a", 0.9), score("b", 0.9, 0.4), score("c", 0.8))
    assert measured.best_depth.reads == measured.best_head.reads == ("b",)


@pytest.mark.parametrize(
    ("last", "expected"), [(0.95, True), (0.89, True), (0.87, False)]
)
def test_is_similar_within_a_standard_error(last: float, expected: bool) -> None:
    measured = evidence(score("first", 0.5), score("middle", 0.9), score("last", last))
    assert measured.is_similar == expected
