"""The cheapest backbone that is as good as the best is chosen, by counts alone."""

import dataclasses
import json

import numpy as np
import pytest

from pipelines.planning.backbones import choice as backbone_choice
from pipelines.planning.backbones.choice import (
    BackboneChoice,
    MeasuredBackbone,
    choose,
    input_sizes,
)
from pipelines.planning.backbones.ranking import BackboneScore, LeftOut
from pipelines.planning.evidence import ProbeScore
from zoo.spec import INSIDE, ImageInput, TextInput

IMAGES = ImageInput(default_size_px=240, minimum_size_px=32, pixels=INSIDE)


def _measured(name, right, adds, *, rate=100.0, size=224, groups=None):
    """A backbone that is right on the first examples of 100."""
    quality = (np.arange(100) < right).astype(float)
    probe = ProbeScore(("final",), 1, 8, right / 100, 0.03, 0.1, 0.1, 5.0)
    score = BackboneScore(
        backbone=name,
        imagenet_top1=None,
        parameters=10,
        examples=100,
        input_size_px=size,
        probe=probe,
        last=probe,
        logme=None,
        h_score=None,
        leep=None,
        examples_per_second=rate,
        seconds=1.0,
        peak_memory_bytes=None,
        multiply_adds=adds,
    )
    return MeasuredBackbone(score, quality, groups)


def _chosen(*rows, seconds_left=float("inf")):
    return choose(rows, metric="accuracy", rows_to_read=100, seconds_left=seconds_left)


SIZES = {
    "large images": (IMAGES, 500.0, 0, (128, 160, 224, 240)),
    "twice the side": (IMAGES, 80.0, 0, (128, 160)),
    "tiny images": (IMAGES, 28.0, 0, (128,)),
    "unknown images": (IMAGES, None, 0, (128, 160, 224, 240)),
    "a size of the config": (IMAGES, 500.0, 96, (96,)),
    "a small network": (ImageInput(32, 8, INSIDE), 500.0, 0, (32,)),
    "texts": (TextInput(), None, 0, (0,)),
}


@pytest.mark.parametrize("case", SIZES)
def test_input_sizes_fit_images_and_network(case):
    takes, side, fixed, expected = SIZES[case]
    assert input_sizes(takes, images_px=side, fixed_px=fixed) == expected


def test_the_best_is_chosen_where_it_is_clear():
    chosen, rows, reason = _chosen(_measured("a", 70, 10), _measured("b", 90, 900))
    assert chosen.backbone == "b"
    assert [row.backbone for row in rows] == ["a", "b"]
    assert rows[0].behind == pytest.approx(0.2)
    assert "beats what is cheaper" in reason


def test_the_cheapest_is_chosen_among_equals():
    rows = (_measured("b", 90, 900), _measured("a", 89, 100), _measured("c", 50, 1))
    chosen, _, reason = _chosen(*rows)
    assert chosen.backbone == "a"
    assert chosen.behind == pytest.approx(0.01)
    assert chosen.standard_error == pytest.approx(0.014, abs=1e-4)
    assert "'b' at 224 px is ahead by 0.0100" in reason
    assert "9.0 times the multiply-adds" in reason
    assert _chosen(*rows[::-1])[0] == chosen


def test_speed_decides_nothing_without_a_budget():
    fast, slow = _measured("a", 80, 10, rate=1.0), _measured("b", 80, 20, rate=1e6)
    assert _chosen(fast, slow)[0].backbone == "a"


def test_multiply_adds_that_are_unknown_come_last():
    unknown, known = _measured("a", 80, None), _measured("b", 80, 10**9)
    assert _chosen(unknown, known)[0].backbone == "b"


def test_a_budget_leaves_out_what_is_slow():
    rows = _measured("a", 70, 10, rate=100.0), _measured("b", 90, 900, rate=1.0)
    chosen, _, reason = _chosen(*rows, seconds_left=60.0)
    assert chosen.backbone == "a"
    assert "Time decided too: 1 of them" in reason
    assert _chosen(*rows, seconds_left=300.0)[0].backbone == "b"
    assert _chosen(rows[1], seconds_left=1.0)[0].backbone == "b"


def test_a_choice_survives_json():
    chosen, rows, reason = _chosen(_measured("a", 80, 10), _measured("b", 81, 20))
    choice = BackboneChoice(
        chosen.backbone,
        224,
        reason,
        "accuracy",
        100,
        rows,
        (LeftOut("c", "why"),),
        ("d",),
    )
    values = json.loads(json.dumps(backbone_choice.to_dict(choice)))
    assert backbone_choice.from_dict(values) == choice
    assert {field.name for field in dataclasses.fields(choice)} == set(values)
    with pytest.raises(KeyError):
        backbone_choice.from_dict({"backbone": "a"})
