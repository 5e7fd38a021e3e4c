"""The methods of adaptation as rows: what each does, needs, helps and harms."""

from __future__ import annotations

import dataclasses

AUTO, NONE = "auto", "none"
# The dependable one that `auto` lets labelled target examples judge.
JUDGED = "mcc"
# Labelled target examples that can judge, or join training.
FEWEST_LABELLED = 50


@dataclasses.dataclass(frozen=True)
class Method:
    """A method of adaptation, in words, and what it needs.

    One that is `source_free` needs a trained head and target examples alone. One that
    `trains` has a hidden layer under the logits; one with `passes` changes the network
    by another pass over the target, and not the head. `assumes_shares` where it is
    wrong for a target with other shares of classes.
    """

    name: str
    words: str
    source_free: bool = False
    trains: bool = False
    passes: bool = False
    assumes_shares: bool = True


METHODS = {
    method.name: method
    for method in (
        Method(
            "batchnorm",
            "BatchNorm statistics of the target in place of the source's",
            passes=True,
        ),
        Method(
            "standardise",
            "features of each domain standardized by themselves",
            source_free=True,
        ),
        Method("coral", "source features with the covariance of the target"),
        Method(
            "mcc",
            "a hidden layer that confuses few classes on the target",
            trains=True,
        ),
        Method(
            "shot",
            "sure and diverse answers on the target, by a classifier that stays",
            source_free=True,
            trains=True,
        ),
        Method(
            "dann",
            "a hidden layer that hides the domain, by reversed gradients",
            trains=True,
        ),
        Method(
            "confusion",
            "a hidden layer that hides the domain, in alternating steps",
            trains=True,
        ),
        Method(
            "label_shift",
            "the shares of classes that the target is estimated to have",
            source_free=True,
            assumes_shares=False,
        ),
    )
}
SOURCE_FREE = tuple(name for name, method in METHODS.items() if method.source_free)
