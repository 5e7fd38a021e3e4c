"""What examples without labels were worth, as plain data."""

from __future__ import annotations

import dataclasses

PROPAGATION, NONE = "propagation", "none"


# Up to this number of labelled examples of a class, labels that spread gained on every
# set that was measured, and above it on few: "Labels that spread" in RESULTS.md.
_FEW_PER_CLASS = 10


@dataclasses.dataclass(frozen=True)
class Judged:
    """Two heads, judged by the same labelled examples, which neither had seen.

    `before` and `after` are accuracies of the head of labelled examples alone, and of
    the one that learned from the others too, on a number of `examples` of `classes`.
    """

    before: float
    after: float
    gain: float
    standard_error: float
    examples: int
    classes: int

    @property
    def is_few(self) -> bool:
        """True if there are at most ten labelled examples of a class."""
        return self.examples <= _FEW_PER_CLASS * self.classes

    @property
    def helps(self) -> bool:
        """True if examples without labels are used.

        With few labelled examples any gain is enough: they cannot show a gain of five
        points, which is what is usual there, to be above its standard error.
        """
        least = 0.0 if self.is_few else self.standard_error
        return self.examples > 0 and self.gain > least


@dataclasses.dataclass(frozen=True)
class Unlabelled:
    """The examples without labels of a run, and whether its head learned from them.

    `method` is `propagation`, or `none` where that was not clearly better. `known` is
    the number that training has too, which were left out.
    """

    reference: str
    examples: int
    known: int
    method: str
    reason: str
    judged: Judged


def in_words(judged: Judged) -> str:
    """The judgement as a sentence of the plan."""
    if not judged.examples:
        return (
            "No class has two labelled training examples, so that none could judge"
            " whether examples without labels help, and they are not used."
        )
    gain = (
        f"{judged.examples} labelled training examples, each left out once:"
        f" {judged.before:.4f} are answered right by the head of labelled examples, and"
        f" {judged.after:.4f} where labels spread to the others (gain"
        f" {judged.gain:+.4f}, standard error {judged.standard_error:.4f})."
    )
    if judged.helps:
        return f"{gain} The head learns from both."
    least = "no gain" if judged.is_few else "not above its standard error"
    return f"{gain} That is {least}, so that the others are not used."
