"""Detectors as good as the best give way to the cheapest of them."""

import pytest

from pipelines.planning.detectors import DetectorScore, cheapest_of_best, in_words


@pytest.mark.parametrize(
    ("areas", "expected"),
    [
        ((0.70, 0.71, 0.69), "pca"),
        ((0.60, 0.71, 0.90), "padim"),
        ((0.60, 0.88, 0.90), "dfm"),
    ],
)
def test_the_cheapest_within_one_error_is_taken(areas, expected):
    compared = [
        DetectorScore(method, area, 0.03)
        for method, area in zip(("pca", "dfm", "padim"), areas)
    ]
    assert cheapest_of_best(compared) == expected
    assert f"dfm {areas[1]:.3f}" in in_words(compared)
