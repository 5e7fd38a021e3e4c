"""The order of measured backbones, and its reason. Pure functions.

Probe accuracy decides where two of them differ clearly, and ImageNet accuracy where
it cannot: a list by the latter alone is hard to beat by anything but a probe.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from pipelines.planning.evidence import ProbeScore

# At least this many are measured in full, however clear the first round is.
_LEAST_FINALISTS = 2


@dataclasses.dataclass(frozen=True)
class BackboneScore:
    """The measurements of one backbone, on `examples` of `input_size_px`.

    `probe` is the score of the best head, on examples left out of its fit, and `last`
    the score of the last block alone; both on `classes`, a part of very many classes.
    `logme`, `h_score` and `leep` are scores of the last block's features, for
    information, and None where examples do not have one class each; `leep` also if the
    weights lack the classifier of the source.
    `seconds` include building, reading and fitting. `peak_memory_bytes` is the largest
    resident memory of the process meanwhile, where the system reports it.
    `multiply_adds` are those of one example, counted in the graph; None where a loop
    hides them.
    """

    backbone: str
    imagenet_top1: float | None
    parameters: int | None
    examples: int
    input_size_px: int | None
    probe: ProbeScore
    last: ProbeScore
    logme: float | None
    h_score: float | None
    leep: float | None
    examples_per_second: float
    seconds: float
    peak_memory_bytes: int | None
    classes: int = 0
    multiply_adds: int | None = None


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """A backbone that was not ranked, and why, with what to do."""

    backbone: str
    reason: str


@dataclasses.dataclass(frozen=True, repr=False)
class Ranking:
    """All measured backbones, best first, and the others.

    `finalists` were measured in full and lead; the others have the scores of the first
    round, at a lower resolution. `missing` backbones were not measured, because their
    weights are not on this machine. `seconds` has the time of every part. Everything
    that is called an accuracy is the `metric` of the problem.
    """

    backbones: tuple[BackboneScore, ...]
    finalists: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    missing: tuple[str, ...]
    reason: str
    majority_accuracy: float
    pixel_accuracy: float | None
    seconds: dict[str, float]
    metric: str = "accuracy"

    def __repr__(self) -> str:
        best = ", ".join(score.backbone for score in self.backbones[:3])
        return f"<Ranking: {len(self.backbones)} backbones, best first: {best}>"


def ordered(scores: Sequence[BackboneScore]) -> list[BackboneScore]:
    """Best first.

    The most accurate one and all within its standard error are alike; among them, the
    more accurate on ImageNet comes first, and one without such a number last. Then the
    same for the rest, and so on.
    """
    left = sorted(scores, key=_by_probe)
    ranked: list[BackboneScore] = []
    while left:
        alike = _alike(left)
        ranked += sorted(alike, key=lambda score: -(score.imagenet_top1 or 0.0))
        left = [score for score in left if score not in alike]
    return ranked


def finalists(scores: Sequence[BackboneScore]) -> list[str]:
    """Names of those to measure in full, best first.

    The first two, and then others that are alike with the best one, up to half of all:
    a high resolution may separate backbones that a low one does not.
    """
    best = ordered(scores)
    most = max(_LEAST_FINALISTS, math.ceil(len(best) / 2))
    alike = _alike(sorted(scores, key=_by_probe))
    return [
        score.backbone
        for place, score in enumerate(best[:most])
        if place < _LEAST_FINALISTS or score in alike
    ]


def reason(
    best_first: Sequence[BackboneScore],
    pixel_accuracy: float | None,
    *,
    classes: int = 0,
    metric: str = "accuracy",
) -> str:
    """The reason for the first place in words, with a warning if nothing helps.

    `classes` is the number of classes of the data, if known.
    """
    is_accuracy = metric == "accuracy"
    reached, shown = ("on", _share) if is_accuracy else (f"at {metric}", _number)
    first, others = best_first[0], best_first[1:]
    alike = [
        score for score in others if _within(score, first) or _within(first, score)
    ]
    right = "is right" if is_accuracy else "is"
    words = f"'{first.backbone}': its probe {right} {reached} {shown(first.probe)}"
    if alike:
        names = ", ".join(f"'{score.backbone}'" for score in alike)
        words += f"; {names} cannot be distinguished from it"
        if any(score.probe.accuracy > first.probe.accuracy for score in alike):
            words += "; it is the most accurate of them on ImageNet"
    elif others:
        words += (
            f", the next, '{others[0].backbone}', {reached} {shown(others[0].probe)}"
        )
    words += "."
    if first.classes < classes:
        words += (
            f" That is among {first.classes} of the {classes} classes; among all of"
            " them every one is right less often."
        )
    if pixel_accuracy is not None and pixel_accuracy > first.probe.accuracy:
        words += (
            f" Warning: tiny thumbnails alone give {pixel_accuracy:.1%}, so none of"
            " these backbones helps here; try others, or strategy='scratch'."
        )
    return words


def _by_probe(score: BackboneScore) -> tuple[float, float]:
    return -score.probe.accuracy, score.probe.squared_error


def _alike(by_probe: Sequence[BackboneScore]) -> list[BackboneScore]:
    return [score for score in by_probe if _within(score, by_probe[0])]


def _within(score: BackboneScore, best: BackboneScore) -> bool:
    gap = best.probe.accuracy - score.probe.accuracy
    return 0 <= gap <= best.probe.standard_error


def _share(probe: ProbeScore) -> str:
    return f"{probe.accuracy:.1%} (standard error {probe.standard_error:.1%})"


def _number(probe: ProbeScore) -> str:
    return f"{probe.accuracy:.3f} (standard error {probe.standard_error:.3f})"
