"""The four classic rules of transfer learning, by name.

New data are small or large, and similar to the source or different from it
(https://cs231n.github.io/transfer-learning). The default plan does not follow the
rules, because it measures instead: a head that reads all blocks does better than one on
an earlier block alone, and blocks that train are kept only if validation improves. The
rules are told beside it, and a strategy follows them.
"""

from __future__ import annotations

import dataclasses

# From so many examples on, for each class or in all, training every block is what
# fine-tuning tables support.
LARGE_PER_CLASS = 100
LARGE_EXAMPLES = 5000


@dataclasses.dataclass(frozen=True)
class ClassicRule:
    """What to do with data of a kind: in words, and as the `strategy` that does it."""

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
        "leave the higher blocks, train new layers on earlier ones; here the head reads"
        " earlier blocks beside the last, and the last half trains with it",
        "partial",
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
    """Whether training examples are many by the measure of the rules."""
    return per_class >= LARGE_PER_CLASS or examples >= LARGE_EXAMPLES


def classic_rule(*, examples: int, per_class: float, similar: bool) -> ClassicRule:
    """The rule for so many training examples, and what the source is to them."""
    return RULES[is_large(examples=examples, per_class=per_class), similar]
