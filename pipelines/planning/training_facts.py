"""Facts for the policy, known before training."""

from __future__ import annotations

import dataclasses

from pipelines.planning.classic_rules import ClassicRule, classic_rule
from pipelines.planning.evidence import Evidence

# An example left out of a class of two has one other to be recognized by.
COMPARABLE_PER_CLASS = 3


@dataclasses.dataclass(frozen=True)
class TrainingFacts:
    """The training data, the backbone and the evidence.

    `trainable` is false if nothing in the backbone can train, and `pretrained` if its
    weights are random. There is `evidence` unless it trains from scratch; `validation`
    is the number of examples, if known, that measure the gain of a phase.
    `batchnorm_blocks` have BatchNorm layers whose statistics can be set, `lora_blocks`
    have dense, attention or embedding layers, `bias_blocks` biases or offsets of norms,
    and `norm_blocks` norms with scales or offsets. `part` is the word for one of the
    `classes`, which may be labels or parts of a range. `can_refit` says that a head can
    be solved for training and validation together: all was read, each example has a
    class, and no block trains. `trains_from_random` says that it is a network for
    series or tables with random weights, whose features are worth nothing before it was
    trained; `has_new_inputs`, that a table has columns, or series have channels, that
    the published weights are not for, and only training reads. Where the head does not
    train (`trains`), scores compare nothing.
    """

    examples: int
    classes: int
    block_names: tuple[str, ...]
    trainable: bool = True
    pretrained: bool = True
    evidence: Evidence | None = None
    validation: int | None = None
    batchnorm_blocks: tuple[str, ...] = ()
    lora_blocks: tuple[str, ...] = ()
    bias_blocks: tuple[str, ...] = ()
    norm_blocks: tuple[str, ...] = ()
    part: str = "class"
    can_refit: bool = False
    trains_from_random: bool = False
    has_new_inputs: bool = False
    trains: bool = True

    @property
    def per_class(self) -> float:
        """The mean number of training examples of a class."""
        return self.examples / self.classes

    @property
    def classic_rule(self) -> ClassicRule | None:
        """The classic rule for such data; None if similarity was not measured."""
        evidence = self.evidence
        known = evidence is not None and self.pretrained and self.trains
        if evidence is None or not known or len(evidence.depths) < 2:
            return None
        return classic_rule(
            examples=self.examples,
            per_class=self.per_class,
            similar=evidence.is_similar,
        )
