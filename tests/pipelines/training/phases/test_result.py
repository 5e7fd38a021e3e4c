"""The result of a phase goes through JSON and comes back."""

import dataclasses
import json

from pipelines.data.input.augment import Augmentation
from pipelines.training.phases.result import PhaseResult, result_of
from pipelines.training.rate_finder import RateFound


def test_result_of_restores_what_asdict_gave():
    result = PhaseResult(
        name="head",
        kept=True,
        blend=1.0,
        gain=0.1,
        gain_standard_error=0.01,
        learning_rate=1e-3,
        best_epoch=2,
        accuracy_before=None,
        accuracy_after=0.9,
        images_per_second=10.0,
        seconds=1.5,
        epochs=({"loss": 0.5},),
        receipt=(),
        augmentation=Augmentation("none", 0.7, 0.1),
        soup_epochs=(1, 2),
        rate_found=RateFound(0.1, rates=(0.1, 0.2), losses=(0.5, 0.4)),
    )
    values = json.loads(json.dumps(dataclasses.asdict(result)))
    assert result_of(values) == result
