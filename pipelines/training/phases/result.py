"""What a phase did, as plain values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pipelines.data.input.augment import Augmentation
from pipelines.training.profiling import StepProfile
from pipelines.training.rate_finder import RateFound
from pipelines.training.receipt import WeightChange


@dataclasses.dataclass(frozen=True)
class PhaseResult:
    """What one phase did. Accuracies and losses are those of the validation split.

    They are balanced, every class counting the same, where `imbalance` is not `none`.
    `augmentation` tells what was done to the training images, if anything. `blend` is
    the share of the trained weights in those that were kept: 1 unless the phase is
    guarded, and 0 where it was undone because validation did not improve by more than a
    standard error. `learning_rate` is lower than planned if the loss exploded with
    that. The receipt tells what training moved, kept or not, and apart from that what
    BatchNorm statistics moved by where they were re-estimated; `accuracy_before` is
    that of before they were, and none where the weights were random. `soup_epochs` are
    those whose weights were averaged, if the phase has a soup, and else empty.
    `trained_parameters` counts numbers, with those of the head; of factors of low rank
    they are what the factors have, and the receipt has what they moved the kernels by.
    `rate_found` is the range test of a phase that was to find its rate, unless it
    started over at a lower one. `profile` is where the seconds of a step go, if that
    was wanted. `solved` says that a head began as the linear probe, which is solved in
    closed form: then accuracy is high before the first step.
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
    augmentation: Augmentation | None = None
    soup_epochs: tuple[int, ...] = ()
    trained_parameters: int = 0
    rate_found: RateFound | None = None
    profile: StepProfile | None = None
    solved: bool = False


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def result_of(values: Mapping[str, Any]) -> PhaseResult:
    """The result that `dataclasses.asdict` made these values of, and JSON lists."""
    augmentation, found = values["augmentation"], values["rate_found"]
    profile = values["profile"]
    parts = {
        "epochs": tuple(values["epochs"]),
        "soup_epochs": tuple(values["soup_epochs"]),
        "receipt": tuple(WeightChange(**change) for change in values["receipt"]),
        "augmentation": Augmentation(**augmentation) if augmentation else None,
        "rate_found": RateFound(**{k: _frozen(v) for k, v in found.items()})
        if found
        else None,
        "profile": StepProfile(**profile) if profile else None,
    }
    return PhaseResult(**{**values, **parts})
