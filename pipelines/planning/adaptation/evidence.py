"""How far a target is from the source, without a label of it, and what that means."""

from __future__ import annotations

import dataclasses

# Below it a linear classifier hardly parts the domains.
NEAR = 0.3
# Half of the sum of differences of shares: beyond it, other classes are predicted.
OTHER_SHARES = 0.25


@dataclasses.dataclass(frozen=True)
class DomainEvidence:
    """Measurements of a target, and of source examples that trained nothing.

    `distance` is the proxy A-distance, 0 to 2. `source_shares` and `target_shares` are
    those of the predicted classes, in the order of the classes, and confidences are
    means over examples. `validation_accuracy` is of the source.
    """

    distance: float
    source_shares: tuple[float, ...]
    target_shares: tuple[float, ...]
    source_confidence: float
    target_confidence: float
    validation_accuracy: float | None

    @property
    def share_difference(self) -> float:
        """Half of the sum of differences of the shares: 0 alike, 1 disjoint."""
        pairs = zip(self.source_shares, self.target_shares, strict=True)
        return sum(abs(a - b) for a, b in pairs) / 2


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A way to use labelled target examples, judged out of fold.

    `gain` over no adaptation is the mean of paired differences.
    """

    name: str
    accuracy: float
    gain: float
    standard_error: float

    @property
    def is_clear(self) -> bool:
        """True if the gain exceeds its standard error."""
        return self.gain > self.standard_error


@dataclasses.dataclass(frozen=True)
class Adaptation:
    """The adaptation of a run: what was asked for and done, and what changed.

    `method` is `none` where the head is the one of the source; `joined` means that
    labelled target examples joined the training. `after` is None without a change.
    """

    asked: str
    method: str
    target: str
    examples: int
    reason: str
    before: DomainEvidence
    after: DomainEvidence | None = None
    labelled: int = 0
    candidates: tuple[Candidate, ...] = ()


def in_words(evidence: DomainEvidence) -> str:
    """The measurements, for a plan."""
    return (
        f"proxy A-distance {evidence.distance:.2f} (0 alike, 2 apart), predicted"
        f" classes {evidence.share_difference:.0%} apart, mean confidence"
        f" {evidence.source_confidence:.2f} on source validation and"
        f" {evidence.target_confidence:.2f} on the target"
    )


def advice(evidence: DomainEvidence) -> str:
    """The methods that could help or harm, and why; no label says which it is."""
    if evidence.distance < NEAR:
        return (
            "A linear classifier hardly parts the domains, so that there is little to"
            " adapt."
        )
    if evidence.share_difference > OTHER_SHARES:
        return (
            "Other classes are predicted than in the source. If the target does have"
            " them in other shares, label_shift could help where it looks alike"
            " otherwise, and all other methods could harm: with 3 of 9 classes in the"
            " target they lost 3 to 24 points. If its shares are those of the source,"
            " the answers are wrong for another reason, and mcc, dann or confusion"
            " could help."
        )
    return (
        "Predicted classes have similar shares. If those of the target are similar,"
        " mcc, dann and confusion could help (4 to 12 points measured), and standardise"
        " and coral a little; label_shift could harm (7 to 13 points)."
    )
