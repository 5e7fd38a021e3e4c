"""The typed configuration of a run: every field, declared once. Imports nothing heavy.

Not frozen, because `--config.field=value` assigns to it: `checked` gives the run a
validated copy, and nothing assigns after that. Annotations are not postponed, because
ml_collections reads the types of the fields to parse values on the command line.
"""

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipelines.config.options import option, options
from pipelines.display import records
from pipelines.errors import ConfigError

RANDOM_WEIGHTS = "none"
AUTO_BACKBONE = "auto"


@dataclasses.dataclass(slots=True)
class InputConfig:
    """Reading of images."""

    cache_mib: int = option(
        1024,
        low=0,
        high=1_000_000,
        help="Memory for decoded images, in MiB; images beyond it are decoded in every"
        " epoch. 0 keeps none.",
    )


@dataclasses.dataclass(slots=True)
class AugmentConfig:
    """Changes to training images and series, in phases that train blocks."""

    strength: str = option(
        "auto",
        choices=("auto", "none", "light", "strong"),
        help="light flips, crops, changes colours, and mixes images; strong adds"
        " RandAugment. auto is light where a phase reads images in every epoch, and"
        " none where it trains on stored activations or from random weights. Series"
        " get jitter, scaling, warp and window, strong ones twice as much; auto is"
        " light where they train from random weights, and else none.",
    )
    flip: str = option(
        "auto",
        choices=("auto", "none", "horizontal", "both"),
        help="Mirrored images. auto is horizontal where the trained head is as good on"
        " mirrored validation images, so none for digits and letters.",
    )
    crop: float = option(
        0.7,
        low=0.05,
        high=1,
        help="Smallest share of the area that a random crop keeps.",
    )
    colour: float = option(
        0.1,
        low=0,
        high=0.9,
        help="Largest change of brightness, contrast and saturation.",
    )
    randaugment_operations: int = option(
        2,
        low=0,
        high=10,
        help="RandAugment operations for each image, with strength=strong.",
    )
    randaugment_strength: float = option(
        0.3,
        low=0,
        high=1,
        help="Strength of each RandAugment operation.",
    )
    mixup: float = option(
        0.1,
        low=0,
        high=1,
        help="Alpha of MixUp, which blends pairs of images; 0 turns it off.",
    )
    mixup_from_images: int = option(
        20_000,
        low=0,
        high=10**9,
        help="MixUp is used from this number of training images on.",
    )
    cutmix: float = option(
        0.0,
        low=0,
        high=1,
        help="Alpha of CutMix, which pastes a part of another image; 0 turns it off.",
    )
    jitter: float = option(
        0.03,
        low=0,
        high=1,
        help="Noise on series, in standard deviations of a channel; 0 turns it off.",
    )
    scaling: float = option(
        0.1,
        low=0,
        high=0.9,
        help="Largest change of the size of a series, along the series and by channel.",
    )
    warp: float = option(
        0.1,
        low=0,
        high=0.9,
        help="Largest change of the speed of a series, from one part to the next.",
    )
    window: float = option(
        0.9,
        low=0.05,
        high=1,
        help="Smallest share of its steps that a series keeps, stretched to all.",
    )


@dataclasses.dataclass(slots=True)
class HeadConfig:
    """The new layers on top of the backbone, and the phase that trains them alone."""

    reads: str = option(
        "auto",
        choices=("auto", "last", "all"),
        help="Blocks that the head reads, with pooling=average: the last one or all."
        " auto takes what a linear probe does best with on left-out examples.",
    )
    grid: int = option(
        0,
        low=0,
        high=2,
        help="Cells that a feature map is averaged in, with pooling=average: 1 is one"
        " average, 2 is 2 by 2 cells, 0 takes what a linear probe does best with.",
    )
    views: int = option(
        0,
        low=0,
        high=16,
        help="Views of each training image that the head is fitted to; all but one are"
        " random crops (augment.crop). 0 is 3 for at most 1,000 images, else 1.",
    )
    pooling: str = option(
        "average",
        choices=("average", "max", "flatten", "rnn", "gru", "lstm", "bigru", "bilstm"),
        help="From a feature map or sequence to one vector; rnn, gru, lstm, bigru and"
        " bilstm read the features of texts and series in order.",
    )
    recurrent_units: int = option(
        64,
        low=1,
        high=65536,
        help="Units of pooling by rnn, gru, lstm, bigru or bilstm, for each direction.",
    )
    hidden_units: tuple[int, ...] = option(
        (),
        low=1,
        high=65536,
        help="Widths of dense layers between features and logits; needs an init other"
        " than probe.",
    )
    dropout: float = option(
        0.0,
        low=0,
        high=0.95,
        help="Share of the head's inputs that is dropped in each training step.",
    )
    conv_blocks: int = option(
        -1,
        low=-1,
        high=8,
        help="New residual blocks under the head, which start as identity: convolutions"
        " on a map or a series, attention on the tokens of texts. -1 is 1 with"
        " strategy=cut and 0 else.",
    )
    cut_after: str = option(
        "",
        help="Name of the block that strategy=cut keeps as the last one. Empty takes"
        " the best single block, as measured.",
    )
    init: str = option(
        "probe",
        choices=("probe", "zeros", "epsilon"),
        help="Start of the head: probe solves for the logits in closed form, zeros"
        " starts from equal probabilities, epsilon from small random weights.",
    )
    epochs: int = option(
        10,
        low=0,
        high=10_000,
        help="Most passes over the training data that train the head alone.",
    )
    learning_rate: float = option(
        1e-3,
        low=1e-9,
        high=10,
        help="Learning rate while the head trains alone.",
    )


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


@dataclasses.dataclass(slots=True)
class CalibrationConfig:
    """The confidence of the artifact in its answers, measured on validation."""

    method: str = option(
        "auto",
        choices=("auto", "none", "temperature", "bias"),
        help="From logits to probabilities: a temperature, or bias (a temperature and a"
        " bias for each class). auto cross-validates; none accepts every answer.",
    )
    coverage: float = option(
        0.95,
        low=0.1,
        high=1,
        help="Share of examples that are confident enough to be accepted; 1 accepts"
        " all.",
    )
    in_distribution: float = option(
        0.99,
        low=0.5,
        high=1,
        help="Share of examples that are accepted as similar to the training data; 1"
        " accepts all.",
    )
    conformal_levels: tuple[float, ...] = option(
        (0.95, 0.99),
        low=0.5,
        high=0.9999,
        help="Shares of examples whose prediction set holds the right class; the"
        " artifact returns the sets of the first level.",
    )
    false_negative_rate: float = option(
        0.0,
        low=0,
        high=0.9,
        help="multi_label: the share of an example's labels that may be missed, on"
        " average over new examples. 0 takes the thresholds with the best F1.",
    )
    least_precision: float = option(
        0.0,
        low=0,
        high=0.999,
        help="multi_label: the share of predictions of a label that are right, kept"
        " with 90 % certainty; a label that cannot keep it is never predicted. 0 takes"
        " the thresholds with the best F1.",
    )
    widths: str = option(
        "auto",
        choices=("auto", "same", "by_example"),
        help="regression: intervals of the same width for every example, or by_example,"
        " as wide as the error that its features lead to expect. auto is by_example"
        " where features predict errors on examples left out.",
    )


@dataclasses.dataclass(slots=True)
class AnomalyConfig:
    """The detector of problem=anomaly."""

    method: str = option(
        "auto",
        choices=(
            "auto",
            "dfm",
            "pca",
            "nearest",
            "padim",
            "sum",
            "windows",
            "autoencoder",
        ),
        help="dfm is a Gaussian on the main directions of normal features, pca the"
        " length of what lies outside of them, nearest the distance to the nearest"
        " normal example. padim is a Gaussian for each place of an image and gives a"
        " map, and sum adds dfm to it. windows is PCA on short windows of series and"
        " gives a score by step, and so does an autoencoder of series, which trains."
        " auto compares all but these two on normal examples with injected anomalies,"
        " and takes the cheapest of the best.",
    )
    network: str = option(
        "convolutional",
        choices=("dense", "convolutional", "recurrent"),
        help="The layers of method=autoencoder.",
    )
    regularizer: str = option(
        "denoising",
        choices=("none", "denoising", "sparse", "contractive", "variational"),
        help="What keeps method=autoencoder from repeating anomalies too: noise on what"
        " it reads, small codes, codes that change little, or random codes.",
    )
    alpha: float = option(
        0.05,
        low=0.0001,
        high=0.5,
        help="Share of new normal examples that may be called anomalous. Validation"
        " needs 1 / alpha - 1 normal examples for it; fewer promise as much as they"
        " allow.",
    )


@dataclasses.dataclass(slots=True)
class ExportConfig:
    """Contents of the artifact besides predictions."""

    explain: bool = option(
        False,
        help="Adds the signature `explain`: a map of where on an image the network"
        " looked.",
    )
    keras: bool = option(
        False,
        help="Keeps the classifier as a Keras model in the artifact too, from raw"
        " inputs to logits, for zootune.load_model. It takes the space of the weights"
        " once more.",
    )


@dataclasses.dataclass(slots=True)
class AutoConfig:
    """The choice of backbone=auto among those whose weights are on this machine."""

    backbones: str = option(
        "*",
        help="Pattern of the backbones that backbone=auto compares, such as"
        " 'efficientnet*'.",
    )
    budget_share: float = option(
        0.2,
        low=0.01,
        high=0.9,
        help="Largest share of time_budget_seconds that comparing them takes.",
    )


@dataclasses.dataclass(slots=True)
class RunConfig:
    """Everything that a run depends on, besides the data and the weights themselves."""

    data: str = option("", help="Reference of the data, such as dir:photos.")
    backbone: str = option(
        "",
        help="Name of the backbone; `zoo list` prints all. Empty is efficientnet_lite0"
        " for images, minilm_l6 for texts and series_minirocket for series. auto"
        " compares those whose weights are on this machine, and several sizes of"
        " images, on the data.",
    )
    handle: str = option(
        "",
        help="The network or file behind a backbone that takes one: a SavedModel (path"
        " or address) for tfhub, a preset for kerashub, a file for word_vectors.",
    )
    weights: str = option(
        "default",
        help="default is the pretrained weights, none is random weights; else the path"
        " of a file.",
    )
    workdir: str = option("", help="Folder of the run; a new or an interrupted one.")
    seed: int = option(
        0,
        low=0,
        high=2**31 - 1,
        help="Seed of everything random: the same seed gives the same weights on the"
        " same machine.",
    )
    input_size_px: int = option(
        0,
        low=0,
        high=4096,
        help="Side of the square that images are resized to, in pixels; 0 is the"
        " backbone's default.",
    )
    input_length: int = option(
        0,
        low=0,
        high=65536,
        help="Tokens that texts are cut to, or milliseconds that sounds are cut or"
        " padded to; 0 is the backbone's default, and what nearly all sounds fit into.",
    )
    precision: str = option(
        "auto",
        choices=("auto", "float32", "mixed_bfloat16", "mixed_float16"),
        help="Number format of the layers; auto measures which one is faster.",
    )
    deterministic: str = option(
        "default",
        choices=("default", "strict"),
        help="strict makes TensorFlow refuse ops that may differ between two runs, for"
        " the whole process.",
    )
    strategy: str = option(
        "auto",
        choices=("auto", "head_only", "partial", "full", "cut", "scratch"),
        help="The part that trains: the head, the last half of the blocks, all blocks,"
        " new blocks on a network that is cut where it does best, or everything from"
        " random weights. auto decides by measurement and effort.",
    )
    effort: str = option(
        "minutes",
        choices=("seconds", "minutes", "hours"),
        help="Cost that auto may choose: the head alone, as many of the last blocks as"
        " the examples per class allow, or all of them too.",
    )
    # Finite, because JSON has no word for infinity; the bound is three years.
    time_budget_seconds: float = option(
        0.0,
        low=0,
        high=1e8,
        help="Seconds after which training ends; 0 for no limit.",
    )
    batch_size: int = option(
        32, low=1, high=65536, help="Examples in one training step, on all devices."
    )
    overwrite: bool = option(
        False, help="Replaces a run that is in workdir; artifact versions stay."
    )
    checkpoint_seconds: float = option(
        30.0,
        low=0,
        high=1e8,
        help="Saves a checkpoint every `checkpoint_seconds`; 0 saves after every epoch."
        " An interrupted run resumes from it.",
    )
    distribution: str = option(
        "auto",
        choices=("auto", "none", "mirrored", "workers", "tpu"),
        help="Devices that share each batch: those of this machine (mirrored), of all"
        " machines in TF_CONFIG (workers), or the cores of a TPU. auto is workers or"
        " mirrored where there are several, else none.",
    )
    imbalance: str = option(
        "none",
        choices=("none", "weights", "sampling", "prior_correction", "auto"),
        help="Makes classes of different size count the same: weights in the loss,"
        " sampling each as often, or the class shares added to the logits. The best"
        " epoch is then by balanced accuracy. auto is prior_correction where one class"
        " has 10 times the examples of another.",
    )
    problem: str = option(
        "auto",
        choices=(
            "auto",
            "single_label",
            "multi_label",
            "regression",
            "ordinal",
            "anomaly",
        ),
        help="Kind of labels: one class for each example, any number of labels,"
        " numbers, grades in an order, or normal examples alone (the class normal;"
        " others are anomalies to evaluate on). auto is what is plain from the data,"
        " and printed.",
    )
    folds: int = option(
        0,
        low=0,
        high=50,
        help="Folds of train and validation: each is answered by a head that is solved"
        " on the others. Needs strategy=head_only; 0 is one head, and validation as it"
        " is.",
    )
    fold_head: str = option(
        "average",
        choices=("average", "best"),
        help="With folds: the artifact has the average of their heads, or the best one"
        " on the fold that it did not see.",
    )
    test_views: str = option(
        "none",
        choices=("none", "flip", "auto"),
        help="Views of each image that the artifact averages, in its graph: flip is the"
        " image and its mirror image, at twice the cost. auto takes it where examples"
        " out of fold are answered better by more than a standard error. Needs"
        " strategy=head_only.",
    )
    profile: bool = option(
        False,
        help="Measures where the seconds of a step go, and traces some steps for"
        " TensorBoard.",
    )
    input: InputConfig = dataclasses.field(default_factory=InputConfig)
    augment: AugmentConfig = dataclasses.field(default_factory=AugmentConfig)
    head: HeadConfig = dataclasses.field(default_factory=HeadConfig)
    finetune: FinetuneConfig = dataclasses.field(default_factory=FinetuneConfig)
    calibration: CalibrationConfig = dataclasses.field(
        default_factory=CalibrationConfig
    )
    anomaly: AnomalyConfig = dataclasses.field(default_factory=AnomalyConfig)
    export: ExportConfig = dataclasses.field(default_factory=ExportConfig)
    auto: AutoConfig = dataclasses.field(default_factory=AutoConfig)


OPTIONS = dict(options(RunConfig()))
CHOICES = {path: known.choices for path, known in OPTIONS.items() if known.choices}
BOUNDS = {path: known.bounds for path, known in OPTIONS.items() if known.bounds}


def from_fields(fields: Mapping[str, Any]) -> RunConfig:
    """A configuration that differs from the default in these fields.

    Fields of a section are a dict of their own.

    >>> from_fields({"data": "dir:photos", "head": {"dropout": 0.2}}).head.dropout
    0.2

    Raises:
        ConfigError: for a field that does not exist, with the nearest one.
    """
    refuse_unknown(fields, [field.name for field in dataclasses.fields(RunConfig)])
    default = RunConfig()
    return RunConfig(
        **{
            name: _section(name, getattr(default, name), value)
            for name, value in fields.items()
        }
    )


def _section(name: str, default: Any, value: Any) -> Any:
    """A value of a field; of a section also its fields that differ, as a dict."""
    if not dataclasses.is_dataclass(default) or not isinstance(value, Mapping):
        return value
    known = [f"{name}.{field.name}" for field in dataclasses.fields(default)]
    refuse_unknown([f"{name}.{field}" for field in value], known)
    return dataclasses.replace(default, **value)  # type: ignore[type-var]


def refuse_unknown(paths: Iterable[str], known: Sequence[str]) -> None:
    """Raises `ConfigError` for the first path that no field has, with the nearest."""
    for path in paths:
        if path not in known:
            near = difflib.get_close_matches(path, known, n=1, cutoff=0.5)
            hint = f" Did you mean config.{near[0]}?" if near else ""
            raise ConfigError(
                f"There is no config.{path}.{hint} The fields are {', '.join(known)}."
            )


def to_dict(config: RunConfig) -> dict[str, Any]:
    """The configuration as plain values, ready for JSON."""
    return dataclasses.asdict(config)


def field_paths() -> list[str]:
    """Every field that a configuration has, with dots: `head.dropout`."""
    return list(OPTIONS)


def differences(config: RunConfig) -> dict[str, Any]:
    """The fields that differ from the default, with dots, and their values.

    >>> differences(from_fields({"data": "dir:photos", "head": HeadConfig(epochs=4)}))
    {'data': 'dir:photos', 'head.epochs': 4}
    """
    changes = records.differences(to_dict(RunConfig()), to_dict(config))
    return {path: value for path, (_, value) in changes.items()}
