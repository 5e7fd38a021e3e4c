"""What a phase did goes through JSON and comes back the same."""

import dataclasses
import json

from pipelines.data.input.augment import Augmentation
from pipelines.training.phases.result import PhaseResult, result_of
from pipelines.training.rate_finder import RateFound
from pipelines.training.receipt import WeightChange


def _result(**changes):
    result = PhaseResult(
        name="head",
        kept=True,
        blend=1.0,
        gain=0.1,
        gain_standard_error=0.01,
        learning_rate=1e-3,
        best_epoch=2,
        accuracy_before=None,
        accuracy_after=0.5,
        images_per_second=10.0,
        seconds=1.0,
        epochs=({"loss": 1.0}, {"loss": 0.5}),
        receipt=(WeightChange("stem", False, 0.0, 0.0, 0.0),),
        soup_epochs=(1, 2),
    )
    return dataclasses.replace(result, **changes)


def _through_json(result):
    return result_of(json.loads(json.dumps(dataclasses.asdict(result))))


def test_it_comes_back_the_same():
    assert _through_json(_result()) == _result()


def test_its_parts_come_back_too():
    found = RateFound(1e-3, (1e-4, 1e-3), (1.0, 0.9))
    result = _result(augmentation=Augmentation(flip="horizontal"), rate_found=found)
    assert _through_json(result) == result
