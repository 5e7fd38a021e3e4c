"""The four classic rules of transfer learning, by name.

New data are small or large, and similar to the source or different from it
(https://cs231n.github.io/transfer-learning). The default plan measures instead: a head
that reads all blocks is often better than one on an earlier block alone, and trained
blocks are kept only if validation improves. The plan names the rule for the data, and
says that it follows it or why not; each rule has a strategy that follows it.
"""

from __future__ import annotations

import dataclasses

# From this many examples on, per class or in all, published results of fine-tuning
# support training every block.
LARGE_PER_CLASS = 100
LARGE_EXAMPLES = 5000


@dataclasses.dataclass(frozen=True)
class ClassicRule:
    """A rule for a kind of data: in words, and as the `strategy` that follows it."""

    name: str
    data: str
    action: str
    strategy: str


# By `(large, similar)`.
RULES = {
    (False, True): ClassicRule(
        "small_similar",
        "few data that are similar to the source",
        "keep all blocks as they are, train only a new head",
        "head_only",
    ),
    (True, True): ClassicRule(
        "large_similar",
        "many data that are similar to the source",
        "add a new head, train the entire model",
        "full",
    ),
    (False, False): ClassicRule(
        "small_different",
        "few data that are different from the source",
        "drop the higher blocks, add new layers on earlier ones and train those",
        "cut",
    ),
    (True, False): ClassicRule(
        "large_different",
        "many data that are different from the source",
        "start from the pretrained weights with a new head, train everything; or from"
        " scratch",
        "full",
    ),
}


def is_large(*, examples: int, per_class: float) -> bool:
    """True if training examples are many in the sense of the rules."""
    return per_class >= LARGE_PER_CLASS or examples >= LARGE_EXAMPLES


def classic_rule(*, examples: int, per_class: float, similar: bool) -> ClassicRule:
    """The rule for a number of training examples, similar to the source or not."""
    return RULES[is_large(examples=examples, per_class=per_class), similar]
