"""The model card: its head, its bounds, and places for what only people know."""

import dataclasses

import numpy as np
import pytest
import yaml

from pipelines.calibration.calibration import uncalibrated
from pipelines.data.splits import DataInfo
from pipelines.runs.model_card import model_card
from pipelines.runs.result import Outcome
from pipelines.stages.calibrate import Calibrated
from pipelines.stages.evaluate import evaluate_held_out
from pipelines.stages.outputs import Outputs

NAMES = ("<script>alert(1)</script>", "a|b", "`c` [d](http://e)")
PARITY = {"outputs_compared": 12, "largest_difference": 1e-7, "tolerance": 1e-4}


def _known(prepared, class_names, labels):
    """The values that a card is made of, for these classes and test labels."""
    draw = np.random.default_rng(0)
    count = len(class_names)
    outputs = [
        Outputs(
            name,
            np.array(labels),
            draw.standard_normal((len(labels), count), np.float32),
            np.zeros((len(labels), 1), np.float32),
        )
        for name in ("validation", "test")
    ]
    calibrated = Calibrated(uncalibrated(count, reason="Too few."), *outputs)
    counts = {name: dict.fromkeys(class_names, 3) for name in ("train", "test")}
    info = DataInfo(class_names, counts, "f0", "dir:/data/my_photos")
    parts = {
        name: dataclasses.replace(
            getattr(prepared.splits, name), labels=np.array(labels)
        )
        for name in ("train", "validation", "test")
    }
    splits = dataclasses.replace(prepared.splits, **parts, info=info)
    prepared = dataclasses.replace(prepared, splits=splits)
    return prepared, calibrated, evaluate_held_out(calibrated, splits)


def _front(card):
    return yaml.safe_load(card.split("---\n")[1])


@pytest.fixture
def known(prepared):
    return _known(prepared, NAMES, [0, 1, 2, 0, 1] * 4)


def test_head_has_the_fields_of_a_hub(known):
    front = _front(model_card(*known))
    assert front["license"] == known[0].base.spec.license.lower()
    assert front["datasets"] == ["my_photos"]
    assert front["pipeline_tag"] == "image-classification"
    assert {"tags", "library_name", "metrics"} <= set(front)
    (result,) = front["model-index"][0]["results"]
    accuracy = known[2].test.accuracy
    assert result["metrics"][0] == {"type": "accuracy", "value": round(accuracy, 4)}


def test_names_of_classes_are_escaped(known):
    card = model_card(*known)
    assert "<script" not in card
    assert "| &lt;script&gt;alert(1)&lt;/script&gt; | 3 |" in card
    assert "| a\\|b | 3 |" in card
    assert "\\`c\\` \\[d\\](http://e)" in card


def test_card_has_intervals_limits_and_places_to_fill(known):
    card = model_card(*known)
    accuracy = known[2].test.accuracy
    assert f"| accuracy | {accuracy:.4f} (0." in card
    assert card.count("> **Fill in:**") == 4
    assert "tested on 20 examples only" in card
    assert "3 classes have fewer than 20 training examples" in card
    assert "random: nothing was learned before" in card
    assert "Too few." in card
    assert "\n\nBy class, on test:\n\n| class |" in card


def test_only_the_run_card_has_its_machine(known):
    prepared, calibrated, evaluation = known
    outcome = Outcome(
        prepared,
        history=None,
        calibrated=calibrated,
        evaluation=evaluation,
        exported={"parity": PARITY},
        backbone={},
        seconds={"total": 12.3},
    )
    card = model_card(*known)
    whole = model_card(*known, outcome)
    assert "12 outputs were compared" in whole
    assert "| tensorflow" in whole
    assert "took 12 seconds" in whole
    for host in ("outputs were compared", "| tensorflow", "seconds."):
        assert host not in card
    assert card == model_card(*known)


def test_thousand_classes_show_the_worst(prepared):
    names = tuple(f"class {k}" for k in range(1000))
    card = model_card(*_known(prepared, names, list(range(0, 1000, 4))))
    assert "The 50 classes with the lowest F1 on test, of 1000" in card
    assert "750 classes have no test example" in card
    assert card.count("\n| class ") == 51
    assert len(card) < 20_000


def test_single_class_in_test_is_described(prepared):
    card = model_card(*_known(prepared, NAMES, [1] * 5))
    assert "2 classes have no test example" in card
    assert "| a\\|b | 3 | 5 |" in card
