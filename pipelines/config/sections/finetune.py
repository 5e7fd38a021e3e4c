"""The section of the config on the training of blocks."""

import dataclasses

from pipelines.config.options import option


@dataclasses.dataclass(slots=True)
class FinetuneConfig:
    """The phases that train blocks of the backbone."""

    from_block: str = option(
        "",
        help="Name of the first block that trains; all before it stay frozen. auto is"
        " the best single block where that is clearly better than the last one, else as"
        " many blocks as the examples per class allow. Empty is what the strategy"
        " trains.",
    )
    guard: bool = option(
        True,
        help="A phase that trains blocks is undone where validation does not show that"
        " it helped. False keeps it in any case; auto guards what it adds.",
    )
    epochs: int = option(
        0,
        low=0,
        high=10_000,
        help="Most passes over the training data for each part of the backbone that"
        " trains; unfreezing steps share them. 0 is 8 for pretrained weights; for"
        " random ones as many as make 400 steps, from 8 to 200 (for series 1,000 steps,"
        " from 8 to 1,000), and patience_epochs grows as much.",
    )
    optimizer: str = option(
        "adam",
        choices=("adam", "adamw", "sgd"),
        help="Optimizer of these phases.",
    )
    momentum: float = option(
        0.9,
        low=0,
        high=0.999,
        help="Momentum of sgd; 0 turns it off.",
    )
    learning_rate: float = option(
        0.0,
        low=0,
        high=10,
        help="Learning rate of the head; blocks have lower ones. 0 is 3e-4 for"
        " pretrained weights and 1e-3 for random ones.",
    )
    backbone_multiplier: float = option(
        1.0,
        low=1e-6,
        high=1,
        help="Learning rate of the last block, as a share of the head's.",
    )
    block_decay: float = option(
        0.85,
        low=0.01,
        high=1,
        help="Learning rate of each earlier block, as a share of the next block's.",
    )
    unfreezing_steps: int = option(
        1,
        low=1,
        high=100,
        help="Steps in which the blocks of a phase unfreeze, last ones first; each is a"
        " phase with its share of the epochs. 1 trains them from the start.",
    )
    weight_decay: float = option(
        0.0,
        low=0,
        high=1,
        help="Weight decay of the optimizer; 0 turns it off.",
    )
    warmup_fraction: float = option(
        0.1,
        low=0,
        high=0.9,
        help="Share of the steps in which the learning rate rises from 0.",
    )
    clip_norm: float = option(
        1.0,
        low=1e-6,
        high=1e6,
        help="Largest norm of a gradient; longer ones are scaled down to it.",
    )
    patience_epochs: int = option(
        3,
        low=1,
        high=10_000,
        help="Epochs without a better result on validation before a phase ends.",
    )
    batchnorm: str = option(
        "frozen",
        choices=("frozen", "trained", "reestimated"),
        help="BatchNorm of trained blocks: its statistics stay, are trained, or are set"
        " to those of the training data before a phase and then stay.",
    )
    ema_decay: float = option(
        0.0,
        low=0,
        high=0.9999,
        help="Decay of an exponential moving average of the weights. The average is"
        " validated and saved. 0 turns it off.",
    )
    soup: int = option(
        0,
        low=0,
        high=20,
        help="Number of the best epochs whose weights may be averaged, where that is"
        " better on validation than the best epoch; 0 turns it off.",
    )
    lora_rank: int = option(
        0,
        low=0,
        high=1024,
        help="Rank of LoRA: blocks train two factors for each dense, attention and"
        " embedding layer, merged into it afterwards. 0 turns it off.",
    )
    tune: str = option(
        "all",
        choices=("all", "bias", "norm"),
        help="Weights of a block that train: all, its biases and the offsets of its"
        " norms, or the scales and offsets of its norms.",
    )
    label_smoothing: float = option(
        0.0,
        low=0,
        high=0.5,
        help="Share of each training label that is spread evenly over all answers.",
    )
    number_loss: str = option(
        "huber",
        choices=("huber", "squared"),
        help="regression: squared counts an error by its square; huber counts one above"
        " 1.345 deviations of the target by its size, so that outliers count less.",
    )
    accumulate_steps: int = option(
        1,
        low=1,
        high=1024,
        help="Batches whose mean gradient makes one update: as a batch that is larger"
        " by this factor, in the memory of one. 1 updates after each.",
    )
    find_learning_rate: bool = option(
        False,
        help="Takes the learning rate from at most 100 steps at rising rates on"
        " training data, which are undone, before the first phase that trains blocks.",
    )
