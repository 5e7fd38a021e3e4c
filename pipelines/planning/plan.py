"""The transfer plan: plain data, to be printed, stored, edited and tested."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.config import AugmentConfig
from pipelines.errors import ConfigError
from pipelines.planning.detectors import DetectorScore

# At least this many validation examples have to be wrong before a phase that has to
# prove itself: a gain has to exceed its standard error, and the standard error of a
# single example that is now right is larger than the gain.
NOTICEABLE = 2
# Blocks that train put right this share of what a head has wrong, at best: of 27
# trainings with 5 and 20 images per class the best put .36 right, the next one .14, the
# median .01 (docs/adr/0028-blocks-train-where-a-gain-can-show.md).
_LARGEST_SHARE = 1 / 3


def blocks_could_gain(wrong: float) -> bool:
    """True if blocks that train could show their gain on validation.

    The largest gain to be expected, where a head has `wrong` validation examples wrong,
    has to exceed its standard error: what is undone costs as much as what is kept.
    """
    put_right = _LARGEST_SHARE * wrong
    return put_right > math.sqrt(put_right + 1)


@dataclasses.dataclass(frozen=True)
class HeadPlan:
    """The new layers: pooling, dense layers, dropout and logits.

    `init` is the start of the logits: `probe` (the linear probe), `zeros`, or `epsilon`
    (small noise). `reads` names the blocks whose pooled outputs the head reads side by
    side, each averaged over the cells of a grid with `grid` cells a side; other pooling
    than `average` reads the last block only. `standardized` features are scaled to
    comparable sizes. `recurrent_units` is the width of pooling by a recurrent layer,
    for each direction. `conv_blocks` new residual blocks, which start as identity, lie
    between the last block that is read and its pooling. Where that is not the last
    block of the backbone, the network is cut there: no later block is part of it.

    With `refit` the logits are solved for training and validation together, and
    validation is judged by what is solved without each example. A `detector` of
    anomalies is the whole head, where it is named; `detectors` were compared for it.
    With `transfer`, the way, it is of another source, and `source` is the sha256 of
    what is known of that.
    """

    reads: tuple[str, ...]
    grid: int
    standardized: bool
    pooling: str
    recurrent_units: int
    hidden_units: tuple[int, ...]
    dropout: float
    init: str
    conv_blocks: int = 0
    refit: bool = False
    detector: str = ""
    detectors: tuple[DetectorScore, ...] = ()
    transfer: str = ""
    source: str = ""

    @property
    def is_linear(self) -> bool:
        """True if it is a linear classifier on standardized averages of blocks."""
        return self.reads_averages and not self.hidden_units

    @property
    def reads_averages(self) -> bool:
        """True if its layers read standardized averages of blocks as they are."""
        return self.standardized and not self.conv_blocks


@dataclasses.dataclass(frozen=True)
class Phase:
    """One stretch of training with one optimizer.

    `block_multipliers` has a row for every block of the backbone: the factor on
    `learning_rate` for its updates, 0 where the block is frozen; the head's is 1.
    `batchnorm` is `frozen` (statistics, scale and offset stay), `trained`, or
    `reestimated`: frozen, after the statistics were set to those of the training data.
    With `only_if_better` the phase is undone unless validation improves; else the best
    blend of the weights before and after is kept, or with `whole` those after. One that
    is `asked_for` by name is left out only where no gain at all could be noticed.

    `ema_decay` is the decay of an exponential moving average of the weights; 0 turns it
    off. `soup` is the number of best epochs whose average is kept if it is better than
    the best one. With `lora_rank` the blocks train factors of that rank, with 0 whole
    kernels. `tune` is `all`, or the weights of its blocks that train: `bias` or `norm`.
    `label_smoothing` is the share of a label that is spread over all answers,
    `number_loss` the loss of numbers, `huber` or `squared`, and `accumulate_steps` the
    number of batches that make an update. With `find_learning_rate` a range test
    replaces the rate, here and in later phases that train blocks.
    """

    name: str
    block_multipliers: tuple[tuple[str, float], ...]
    epochs: int
    optimizer: str
    learning_rate: float
    weight_decay: float
    warmup_fraction: float
    clip_norm: float
    patience_epochs: int
    batchnorm: str
    only_if_better: bool
    ema_decay: float = 0.0
    soup: int = 0
    lora_rank: int = 0
    find_learning_rate: bool = False
    whole: bool = False
    momentum: float = 0.9
    tune: str = "all"
    label_smoothing: float = 0.0
    accumulate_steps: int = 1
    number_loss: str = "huber"
    asked_for: bool = False

    @property
    def trainable_blocks(self) -> tuple[str, ...]:
        """The names of the blocks that train, in order."""
        return tuple(name for name, factor in self.block_multipliers if factor > 0)

    @property
    def trains_head_only(self) -> bool:
        """True if every block is frozen."""
        return not self.trainable_blocks


@dataclasses.dataclass(frozen=True)
class TransferPlan:
    """The actions of a run on the backbone, with reasons in words.

    `rule` names the classic rule for such data, of `pipelines.planning.classic_rules`,
    or is empty where similarity is not known. A run reports it and follows `action`.
    `imbalance` is the treatment of classes of different size, and never `auto`.
    Layers compute in `precision`; with `xla`, steps are compiled by it.
    """

    action: str
    reason: str
    batch_size: int
    head: HeadPlan
    phases: tuple[Phase, ...]
    rule: str = ""
    seed: int = 0
    imbalance: str = "none"
    augment: AugmentConfig = dataclasses.field(
        default_factory=lambda: AugmentConfig(strength="none")
    )
    precision: str = "float32"
    xla: bool = False

    @property
    def balances_classes(self) -> bool:
        """Whether every class counts the same, whatever its size."""
        return self.imbalance != "none"

    def check_covers(self, block_names: Sequence[str]) -> None:
        """Raises `ConfigError` unless every phase names the backbone's blocks.

        And unless the head reads some of them.
        """
        strangers = [name for name in self.head.reads if name not in block_names]
        if strangers or not self.head.reads:
            raise ConfigError(
                f"The head of the plan reads the blocks {list(self.head.reads)}, but"
                f" the backbone does not have {strangers}. The backbone's blocks"
                f" in order are {list(block_names)}."
            )
        for phase in self.phases:
            planned = [name for name, _ in phase.block_multipliers]
            if planned != list(block_names):
                missing = [name for name in block_names if name not in planned]
                unknown = [name for name in planned if name not in block_names]
                raise ConfigError(
                    f"Phase '{phase.name}' does not fit the backbone: it leaves out the"
                    f" blocks {missing} and names the unknown blocks {unknown}. The"
                    f" backbone's blocks in order are {list(block_names)}."
                )


def to_dict(plan: TransferPlan) -> dict[str, Any]:
    """The plan as plain values, ready for JSON."""
    return dataclasses.asdict(plan)


def from_dict(values: Mapping[str, Any]) -> TransferPlan:
    """The plan that `to_dict` gave, also after a round trip through JSON.

    The evidence beside it in `plan.json` is left out. Decisions that an older version
    did not write have their defaults.
    """
    values = {name: value for name, value in values.items() if name != "evidence"}
    lists = {name: tuple(values["head"][name]) for name in ("reads", "hidden_units")}
    compared = tuple(
        DetectorScore(**score) for score in values["head"].get("detectors", ())
    )
    head = {**values["head"], **lists, "detectors": compared}
    phases = tuple(
        Phase(
            **{
                **phase,
                "block_multipliers": tuple(
                    (name, factor) for name, factor in phase["block_multipliers"]
                ),
            }
        )
        for phase in values["phases"]
    )
    parts: dict[str, Any] = {"head": HeadPlan(**head), "phases": phases}
    if "augment" in values:
        parts["augment"] = AugmentConfig(**values["augment"])
    return TransferPlan(**{**values, **parts})
