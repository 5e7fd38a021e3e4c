"""The probe ranks backbones, and ImageNet accuracy ranks equal ones."""

import dataclasses

import pytest

from pipelines.planning.backbones.ranking import (
    BackboneScore,
    finalists,
    ordered,
    reason,
)
from pipelines.planning.evidence import ProbeScore


def _measured(name, accuracy, top1=None, *, error=0.01):
    probe = ProbeScore(
        reads=("final",),
        grid=1,
        width=8,
        accuracy=accuracy,
        standard_error=error,
        squared_error=1 - accuracy,
        penalty=0.1,
        sharpness=5.0,
    )
    return BackboneScore(
        backbone=name,
        imagenet_top1=top1,
        parameters=100,
        examples=1000,
        input_size_px=128,
        probe=probe,
        last=probe,
        logme=0.0,
        h_score=1.0,
        leep=None,
        examples_per_second=100.0,
        seconds=1.0,
        peak_memory_bytes=None,
    )


ORDERS = {
    "clear": ([("a", 0.80, 0.9), ("b", 0.90, 0.7), ("c", 0.85, 0.8)], "bca"),
    "a tie goes to ImageNet": ([("a", 0.900, 0.7), ("b", 0.895, 0.8)], "ba"),
    "a tie with one unknown": ([("a", 0.900, None), ("b", 0.895, 0.8)], "ba"),
    "a tie of unknown ones": ([("a", 0.895, None), ("b", 0.900, None)], "ba"),
    "just beyond a tie": ([("a", 0.900, 0.7), ("b", 0.889, 0.8)], "ab"),
    # c is like b and not like a: the best of all decides who shares its place.
    "no chain": ([("a", 0.90, 0.5), ("b", 0.892, 0.6), ("c", 0.884, 0.9)], "bac"),
    "ties below the first": (
        [("a", 0.9, 0.5), ("b", 0.80, 0.6), ("c", 0.795, 0.7)],
        "acb",
    ),
}


@pytest.mark.parametrize("case", ORDERS)
def test_ordered_by_probe_then_imagenet(case):
    rows, expected = ORDERS[case]
    measured = [_measured(*row) for row in rows]
    assert "".join(one.backbone for one in ordered(measured)) == expected
    assert "".join(one.backbone for one in ordered(measured[::-1])) == expected


def test_finalists_are_two_when_clear():
    rows = [_measured(name, 0.9 - 0.1 * i) for i, name in enumerate("abcdef")]
    assert finalists(rows) == ["a", "b"]


def test_finalists_alike_are_up_to_half():
    alike = [_measured(name, 0.9 - 0.001 * i) for i, name in enumerate("abcdef")]
    assert finalists(alike) == ["a", "b", "c"]
    three = [*alike[:3], *(_measured(name, 0.5) for name in "defghij")]
    assert finalists(three) == ["a", "b", "c"]


def test_few_backbones_are_all_finalists():
    assert finalists([_measured("a", 0.5)]) == ["a"]
    assert finalists([_measured("a", 0.5), _measured("b", 0.9)]) == ["b", "a"]
    assert len(finalists([_measured(name, 0.9) for name in "abc"])) == 2


def test_the_reason_says_what_decided():
    clear = ordered([_measured("a", 0.9, 0.7), _measured("b", 0.8, 0.8)])
    assert reason(clear, 0.5) == (
        "'a': its probe is right on 90.0% (standard error 1.0%), the next, 'b',"
        " on 80.0% (standard error 1.0%)."
    )
    assert reason(clear, 0.5, metric="r2") == (
        "'a': its probe is at r2 0.900 (standard error 0.010), the next, 'b',"
        " at r2 0.800 (standard error 0.010)."
    )
    tied = ordered([_measured("a", 0.9, 0.7), _measured("b", 0.895, 0.8)])
    assert "'b': its probe is right on 89.5%" in reason(tied, None)
    assert "'a' cannot be distinguished from it; it is the most" in reason(tied, 0.1)
    same = ordered([_measured("a", 0.9, 0.8), _measured("b", 0.895, 0.7)])
    assert "most accurate" not in reason(same, None)
    alone = reason([_measured("a", 0.9)], None)
    assert alone == "'a': its probe is right on 90.0% (standard error 1.0%)."


def test_backbones_that_lose_to_thumbnails_are_warned_of():
    best = [_measured("a", 0.9)]
    assert "Warning" not in reason(best, 0.9)
    assert "thumbnails alone give 91.0%, so none of these" in reason(best, 0.91)


def test_reason_counts_classes_of_the_ranking():
    some = [dataclasses.replace(_measured("a", 0.9), classes=250)]
    assert "among 250 of the 1000 classes" in reason(some, None, classes=1000)
    assert "among" not in reason(some, None, classes=250)
