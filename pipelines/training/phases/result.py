"""The result of a phase, as plain values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pipelines.data.input.augment import Augmentation
from pipelines.data.input.augment_series import SeriesAugmentation
from pipelines.training.profiling import StepProfile
from pipelines.training.rate_finder import RateFound
from pipelines.training.receipt import WeightChange


@dataclasses.dataclass(frozen=True)
class PhaseResult:
    """The result of one phase. Accuracies and losses are of the validation split.

    With an `imbalance` other than `none` every class counts the same in them.
    `accuracy_before` is from before BatchNorm statistics were re-estimated, and `None`
    if the weights were random. `blend` is the share of the trained weights in the kept
    weights: 1 unless the phase is guarded, and 0 if it was undone because validation
    did not improve by more than a standard error.

    `learning_rate` is lower than planned if the loss exploded. `rate_found` is the
    range test, unless the phase started over at a lower rate. `soup_epochs` are the
    epochs whose weights were averaged. `trained_parameters` counts the numbers that
    train, with the head; for factors of low rank, the numbers of the factors. `receipt`
    has the changes by training, kept or not, and those by re-estimation. `profile` has
    the times of the parts of a step. With `solved` the head began as the linear probe,
    which is solved in closed form: accuracy is high before the first step.
    """

    name: str
    kept: bool
    blend: float
    gain: float
    gain_standard_error: float
    learning_rate: float
    best_epoch: int
    accuracy_before: float | None
    accuracy_after: float
    images_per_second: float
    seconds: float
    epochs: tuple[Mapping[str, float], ...]
    receipt: tuple[WeightChange, ...]
    imbalance: str = "none"
    augmentation: Augmentation | SeriesAugmentation | None = None
    soup_epochs: tuple[int, ...] = ()
    trained_parameters: int = 0
    rate_found: RateFound | None = None
    profile: StepProfile | None = None
    solved: bool = False


def _augmentation(
    values: Mapping[str, Any] | None,
) -> Augmentation | SeriesAugmentation | None:
    if not values:
        return None
    is_of_series = "jitter" in values
    return SeriesAugmentation(**values) if is_of_series else Augmentation(**values)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def result_of(values: Mapping[str, Any]) -> PhaseResult:
    """The result that `dataclasses.asdict` made these values of, and JSON lists."""
    augmentation, rate_found = values["augmentation"], values["rate_found"]
    profile = values["profile"]
    parts = {
        "epochs": tuple(values["epochs"]),
        "soup_epochs": tuple(values["soup_epochs"]),
        "receipt": tuple(WeightChange(**change) for change in values["receipt"]),
        "augmentation": _augmentation(augmentation),
        "rate_found": RateFound(**{k: _frozen(v) for k, v in rate_found.items()})
        if rate_found
        else None,
        "profile": StepProfile(**profile) if profile else None,
    }
    return PhaseResult(**{**values, **parts})
