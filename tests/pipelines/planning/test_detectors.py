"""Detectors as good as the best give way to the cheapest, and transfer to all."""

import pytest

from pipelines.planning.detectors import (
    DetectorScore,
    best_way,
    can_move,
    cheapest_of_best,
    in_words,
    transfer_in_words,
    ways_of,
)


def scores_of(**areas):
    names = {"anew": "autoencoder:dense:none"}
    return [
        DetectorScore(
            names.get(name, name.replace("transfer_", "transfer:")), area, 0.03
        )
        for name, area in areas.items()
    ]


@pytest.mark.parametrize(
    ("areas", "expected"),
    [
        ((0.70, 0.71, 0.69), "pca"),
        ((0.60, 0.71, 0.90), "padim"),
        ((0.60, 0.88, 0.90), "dfm"),
    ],
)
def test_the_cheapest_within_one_error_is_taken(areas, expected):
    compared = scores_of(**dict(zip(("pca", "dfm", "padim"), areas)))
    assert cheapest_of_best(compared) == expected
    assert f"dfm {areas[1]:.3f}" in in_words(compared)


@pytest.mark.parametrize(
    ("areas", "expected"),
    [
        ({"pca": 0.8, "anew": 0.7, "transfer_as_is": 0.84}, "as_is"),
        ({"pca": 0.8, "anew": 0.7, "transfer_as_is": 0.82}, ""),
        ({"pca": 0.7, "anew": 0.8, "transfer_as_is": 0.82}, ""),
        ({"pca": 0.7, "dfm": 0.8, "anew": 0.7, "transfer_as_is": 0.81}, ""),
        ({"pca": 0.7, "anew": 0.7, "transfer_as_is": 0.6}, ""),
        (
            {"pca": 0.7, "transfer_as_is": 0.8, "transfer_fine_tuned": 0.9},
            "fine_tuned",
        ),
        ({"pca": 0.7, "transfer_as_is": 0.9, "transfer_threshold": 0.9}, "as_is"),
        ({"pca": 0.7, "dfm": 0.9}, ""),
        ({}, ""),
    ],
)
def test_a_transfer_has_to_beat_all_others(areas, expected):
    assert best_way(scores_of(**areas)) == expected


def test_words_say_what_becomes_of_a_source():
    taken = scores_of(pca=0.8, anew=0.7, transfer_as_is=0.9)
    assert "is taken, by transfer:as_is" in transfer_in_words("runs/a", taken)
    lost = scores_of(pca=0.7, anew=0.9, transfer_as_is=0.8)
    words = transfer_in_words("runs/a", lost)
    assert "detector of runs/a is not taken" in words
    assert "negative transfer" in words
    assert "Trained anew, autoencoder:dense:none sees more" in words
    assert "the cheapest of pca within" in words
    assert "Trained anew" not in transfer_in_words("a", scores_of(pca=0.9, anew=0.8))
    assert "it is not taken" in transfer_in_words("runs/a", [])


def test_a_way_is_one_that_a_detector_has():
    assert can_move("autoencoder:dense:none", "series")
    assert can_move("padim", "image")
    for method, modality in (
        ("pca", "series"),
        ("windows", "series"),
        ("matrix_profile", "series"),
        ("", "image"),
    ):
        assert not can_move(method, modality)
    assert ways_of("dfm") == ("as_is", "threshold")
    assert len(ways_of("autoencoder:dense:none")) == 4
