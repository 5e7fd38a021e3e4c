"""Proof that an exported SavedModel answers as the trained model does.

The SavedModel runs in a fresh process that imports TensorFlow, the modules that its
manifest names, and nothing of ours: what it needs is in the folder, or it fails here
instead of in production.

Every output is compared on a scale of its own, and may differ as far as the trained
model differs from itself when nothing but rounding is different; how far that is comes
from the same run (`Yardstick.noise`). A fixed limit holds whatever was measured.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.errors import ArtifactError
from pipelines.serving.parity_process import SUBJECT

# Which scale an output is measured on; others are compared relative to 1 or more.
_KINDS = {
    "probabilities": "probabilities",
    "confidence": "probabilities",
    "scores": "probabilities",
    "features": "features",
    "ood_score": "ood_score",
    "heat_map": "heat_map",
}
# By kind: a difference that is never too large, and one that always is. Other orders of
# float32 sums change less than the first in most networks.
_LIMITS = {
    "probabilities": (1e-5, 2e-3),
    "features": (1e-5, 2e-3),
    "ood_score": (1e-5, 2e-3),
    "heat_map": (1e-4, 2e-2),
    "other": (1e-5, 1e-3),
}
# Where networks compute in 16 bits, rounding alone may be a percent.
_COARSER = 20.0
# An export is one more way to round, and noise is the largest of a few.
_TIMES_NOISE = 10.0
# What a block adds to the feature vector counts at least as this much of the whole.
_LEAST_PART = 1e-3

Outputs = Mapping[str, np.ndarray]


class DifferentError(ArtifactError):
    """The SavedModel is not the trained model; `report` says by how much, as JSON."""

    def __init__(self, sentence: str, report: Mapping[str, Any]) -> None:
        super().__init__(sentence)
        self.report = report


@dataclasses.dataclass(frozen=True, eq=False)
class Expected:
    """The expected values of an output, with a row for each example.

    `margins` say by kind how far what an element follows from is from where it would
    tip over, on the scale of that kind: within the bound, rounding decides.
    """

    values: np.ndarray
    margins: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def first(self, count: int) -> Expected:
        """The first `count` rows."""
        return Expected(
            self.values[:count], {k: v[:count] for k, v in self.margins.items()}
        )


@dataclasses.dataclass(frozen=True)
class Yardstick:
    """The scales that differences of one model are measured on.

    `parts` are the widths of the parts of its feature vector with a usual norm of each;
    without any, the whole vector is one part. A relative change of its features and
    logits changes its `ood_score` by up to `ood_unit` times as much. `noise` is, by
    kind, the difference of the model from itself; `is_coarse` says that it computes in
    16 bits. `examples` are the names of the rows that a signature was asked about.
    """

    parts: tuple[tuple[int, float], ...] = ()
    ood_unit: float = 1.0
    noise: Mapping[str, float] = dataclasses.field(default_factory=dict)
    is_coarse: bool = False
    examples: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)

    def bound(self, kind: str) -> float:
        """The largest difference that is allowed."""
        least, most = _LIMITS[kind]
        most *= _COARSER if self.is_coarse else 1.0
        return min(most, max(least, _TIMES_NOISE * self.noise.get(kind, 0.0)))

    def differences(
        self, kind: str, expected: np.ndarray, actual: np.ndarray
    ) -> np.ndarray:
        """The difference of each row or element, on its scale; NaN is infinite."""
        with np.errstate(invalid="ignore"):
            far = np.abs(expected.astype(np.float64) - actual.astype(np.float64))
            if kind == "features":
                far = self._by_parts(expected, far)
            elif kind == "ood_score":
                far = far / self.ood_unit
            elif kind == "other":
                far = far / np.maximum(1.0, np.abs(expected))
        return np.where(np.isnan(far), np.inf, far)

    def _by_parts(self, expected: np.ndarray, far: np.ndarray) -> np.ndarray:
        """The norm of each part's difference over the part's norm, `[n, parts]`."""
        parts = self.parts or ((expected.shape[1], 0.0),)
        whole = max((usual for _, usual in parts), default=0.0)
        ends = np.cumsum([width for width, _ in parts])
        columns = []
        for (width, usual), end in zip(parts, ends):
            mine = slice(end - width, end)
            own = np.linalg.norm(expected[:, mine].astype(np.float64), axis=1)
            scale = np.maximum(own, max(usual, _LEAST_PART * whole))
            scale[scale == 0] = 1.0
            columns.append(np.linalg.norm(far[:, mine], axis=1) / scale)
        return np.stack(columns, axis=1)


@dataclasses.dataclass(frozen=True)
class Finding:
    """The comparison of one output, on its scale; `difference` is the largest of all.

    `undecided` counts elements that may differ, because rounding decides them.
    """

    output: str
    kind: str
    difference: float
    noise: float
    bound: float
    example: str
    undecided: int = 0

    @property
    def agrees(self) -> bool:
        """True if the difference is allowed."""
        return self.difference <= self.bound

    @property
    def share(self) -> float:
        """The difference over the bound; up to 1 is allowed."""
        if self.bound > 0:
            return self.difference / self.bound
        return 0.0 if self.difference == 0 else math.inf


def compare(
    expected: Mapping[str, Expected], actual: Outputs, yardstick: Yardstick
) -> dict[str, Any]:
    """The record of parity: what was compared, and how far each output differs.

    Raises:
        DifferentError: if an output is missing or differs by more than is allowed.
    """
    if set(expected) != set(actual):
        missing = sorted(set(expected) ^ set(actual))
        raise DifferentError(
            f"{SUBJECT} lacks or adds {missing}.", {"missing_or_added": missing}
        )
    findings = [
        _finding(key, output, np.asarray(actual[key]), yardstick)
        for key, output in expected.items()
    ]
    worst = max(findings, key=lambda finding: finding.share)
    if not all(finding.agrees for finding in findings):
        raise DifferentError(
            f"{SUBJECT} differs from the trained model: output {worst.output}"
            f" {_how(worst)}. It was not published.",
            report_of(findings),
        )
    return {
        "outputs_compared": len(findings),
        "batch_sizes": sorted(
            {int(finding.output.split("/")[1]) for finding in findings}
        ),
        "largest_difference": worst.difference,
        "tolerance": worst.bound,
        "output": worst.output,
        "noise": {kind: float(x) for kind, x in sorted(yardstick.noise.items())},
        "outputs": _by_name(findings),
    }


def _how(worst: Finding) -> str:
    if not worst.example:
        return "has another type or shape"
    if worst.kind == "exact":
        return f"is another one for {worst.example}"
    return (
        f"by {worst.difference:.3g} for {worst.example}, and {worst.bound:.3g} is"
        f" allowed, as the trained model differs from itself by {worst.noise:.1g}"
    )


def report_of(findings: Sequence[Finding]) -> dict[str, Any]:
    """Every finding as values of JSON, the worst first."""
    ordered = sorted(findings, key=lambda finding: -finding.share)
    return {
        "outputs": [
            {
                "output": finding.output,
                "agrees": finding.agrees,
                "measured": finding.kind,
                "largest_difference": _finite(finding.difference),
                "noise": finding.noise,
                "bound": finding.bound,
                "example": finding.example,
                "undecided": finding.undecided,
            }
            for finding in ordered
        ]
    }


def _finite(value: float) -> float | str:
    """A value for JSON, which lacks infinity: of other labels, shapes, or NaN."""
    return value if math.isfinite(value) else "not comparable"


def _by_name(findings: Sequence[Finding]) -> dict[str, Any]:
    """The worst finding of each output, over batch sizes and signatures."""
    worst: dict[str, Finding] = {}
    for finding in sorted(findings, key=lambda finding: finding.share):
        worst[finding.output.rpartition("/")[2]] = finding
    return {
        name: {
            "largest_difference": finding.difference,
            "noise": finding.noise,
            "bound": finding.bound,
        }
        for name, finding in sorted(worst.items())
    }


def _finding(
    key: str, expected: Expected, actual: np.ndarray, yardstick: Yardstick
) -> Finding:
    signature, _, name = key.split("/")
    values = expected.values
    is_number = np.issubdtype(values.dtype, np.floating)
    kind = _KINDS.get(name, "other") if is_number else "exact"
    noise = float(yardstick.noise.get(kind, 0.0)) if is_number else 0.0
    bound = yardstick.bound(kind) if is_number else 0.0

    def finding(difference: float, example: str = "", undecided: int = 0) -> Finding:
        return Finding(key, kind, difference, noise, bound, example, undecided)

    if values.shape != actual.shape or is_number != (actual.dtype.kind == "f"):
        return finding(math.inf)
    if values.size == 0:
        return finding(0.0)
    if is_number:
        far = yardstick.differences(kind, values, actual)
    else:
        far = np.where(values == actual, 0.0, math.inf)
    decided = np.broadcast_to(_decided(expected, far, yardstick), far.shape)
    counted = np.where(decided, far, 0.0).reshape(len(far), -1).max(axis=1)
    row = int(counted.argmax())
    names = yardstick.examples.get(signature, ())
    example = names[row] if row < len(names) else f"row {row}"
    return finding(float(counted[row]), example, int((~decided).sum()))


def _decided(expected: Expected, far: np.ndarray, yardstick: Yardstick) -> np.ndarray:
    """Bool, as broad as `far`: false where rounding decides what a value is."""
    decided = np.ones((len(far),) + (1,) * (far.ndim - 1), bool)
    for kind, margin in expected.margins.items():
        shape = margin.shape + (1,) * (far.ndim - margin.ndim)
        decided = decided & (margin > yardstick.bound(kind)).reshape(shape)
    return decided


def batch_sizes(examples: int) -> Sequence[int]:
    """Batch sizes to compare at: an empty batch, a single one, a few, all."""
    return sorted({0, 1, min(3, examples), examples})
