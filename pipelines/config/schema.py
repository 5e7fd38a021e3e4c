"""The one typed configuration of a run. Imports nothing heavy.

Not frozen, because `--config.field=value` assigns to it: `checked` gives the run a
validated copy, and nothing assigns after that. Annotations are not postponed, because
ml_collections reads the types of the fields to parse values on the command line.
"""

import copy
import dataclasses
import difflib
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.errors import ConfigError
from zoo.registry import TAKES_HANDLE

RANDOM_WEIGHTS = "none"
CHOICES = {
    "distribution": ("auto", "none", "mirrored", "workers", "tpu"),
    "deterministic": ("default", "strict"),
    "strategy": ("auto", "head_only", "partial", "full", "scratch"),
    "effort": ("seconds", "minutes", "hours"),
    "precision": ("auto", "float32", "mixed_bfloat16", "mixed_float16"),
    "imbalance": ("none", "weights", "sampling", "prior_correction", "auto"),
    "augment.strength": ("auto", "none", "light", "strong"),
    "augment.flip": ("auto", "none", "horizontal", "both"),
    "head.pooling": ("average", "max", "flatten", "gru", "lstm", "bilstm"),
    "head.reads": ("auto", "last", "all"),
    "head.init": ("probe", "zeros", "epsilon"),
    "finetune.optimizer": ("adam", "adamw", "sgd"),
    "finetune.batchnorm": ("frozen", "trained", "reestimated"),
    "calibration.method": ("auto", "none", "temperature", "bias"),
}
# Inclusive bounds.
BOUNDS: dict[str, tuple[float, float]] = {
    "seed": (0, 2**31 - 1),
    "input_size_px": (0, 4096),
    "input_length": (0, 65536),
    # Finite, because JSON has no word for infinity; this is three years.
    "time_budget_seconds": (0, 1e8),
    "batch_size": (1, 65536),
    "checkpoint_seconds": (0, 1e8),
    "head.grid": (0, 2),
    "head.views": (0, 16),
    "input.cache_mib": (0, 1_000_000),
    "augment.crop": (0.05, 1),
    "augment.colour": (0, 0.9),
    "augment.randaugment_operations": (0, 10),
    "augment.randaugment_strength": (0, 1),
    "augment.mixup": (0, 1),
    "augment.mixup_from_images": (0, 10**9),
    "augment.cutmix": (0, 1),
    "head.recurrent_units": (1, 65536),
    "head.hidden_units": (1, 65536),
    "head.dropout": (0, 0.95),
    "head.epochs": (0, 10_000),
    "head.learning_rate": (1e-9, 10),
    "finetune.epochs": (0, 10_000),
    "finetune.learning_rate": (0, 10),
    "finetune.backbone_multiplier": (1e-6, 1),
    "finetune.block_decay": (0.01, 1),
    "finetune.unfreezing_steps": (1, 100),
    "finetune.weight_decay": (0, 1),
    "finetune.warmup_fraction": (0, 0.9),
    "finetune.clip_norm": (1e-6, 1e6),
    "finetune.patience_epochs": (1, 10_000),
    "finetune.ema_decay": (0, 0.9999),
    "finetune.soup": (0, 20),
    "finetune.lora_rank": (0, 1024),
    "calibration.coverage": (0.1, 1),
    "calibration.in_distribution": (0.5, 1),
    "calibration.conformal_levels": (0.5, 0.9999),
}


@dataclasses.dataclass(slots=True)
class InputConfig:
    """How images are read: decoded ones are kept in memory up to `cache_mib`."""

    cache_mib: int = 1024


@dataclasses.dataclass(slots=True)
class AugmentConfig:
    """What is done to training images, in phases that train blocks of the backbone.

    `strength=light` flips, crops to at least `crop` of the area, and changes
    brightness, contrast and saturation by up to `colour`; `strong` adds
    `randaugment_operations` of RandAugment. Both mix images: by MixUp with the alpha
    `mixup` from as many training images as `mixup_from_images`, and by CutMix with the
    alpha `cutmix`; 0 is off.

    `strength=auto` is light where a phase reads images in every epoch, and none where
    it trains on activations that are kept, or from random weights. `flip=auto` is
    horizontal where the trained head is as good on mirrored validation images, and so
    none for digits and letters.
    """

    strength: str = "auto"
    flip: str = "auto"
    crop: float = 0.7
    colour: float = 0.1
    randaugment_operations: int = 2
    randaugment_strength: float = 0.3
    mixup: float = 0.1
    mixup_from_images: int = 20_000
    cutmix: float = 0.0


@dataclasses.dataclass(slots=True)
class HeadConfig:
    """The new layers on top of the backbone, and how long they train alone.

    With pooling by `average`, the head reads the last block or all of them, and maps as
    one average (`grid` 1) or in 2 by 2 cells (`grid` 2); `auto` and 0 take what does
    best on examples left out of a linear probe. The head is fitted to `views` of every
    training image, of which all but one are random crops (`augment.crop`); 0 takes 3
    for at most 1,000 images, and 1 for more.
    Pooling by `gru`, `lstm` or `bilstm` reads the features of texts and series in
    order, with `recurrent_units`. `hidden_units` are dense layers between the features
    and the logits; `init=probe` needs none, because it solves for the logits in closed
    form of the features.
    """

    reads: str = "auto"
    grid: int = 0
    views: int = 0
    pooling: str = "average"
    recurrent_units: int = 64
    hidden_units: tuple[int, ...] = ()
    dropout: float = 0.0
    init: str = "probe"
    epochs: int = 10
    learning_rate: float = 1e-3


@dataclasses.dataclass(slots=True)
class FinetuneConfig:
    """The phases that train blocks of the backbone.

    `epochs` 0 is 8 for what was trained before. Random weights need steps, however few
    the data are: it is as many epochs as make 400, at least 8 and at most 200, and
    `patience_epochs` grows as much.
    `learning_rate` is that of the head; 0 is 3e-4 for what was trained before and 1e-3
    for what starts from random weights. The last block's is lower by
    `backbone_multiplier`, and each earlier block's by another `block_decay`.
    The blocks of a phase train from its start, or unfreeze in `unfreezing_steps` from
    the last on, each a phase of its own with its share of the epochs.

    `batchnorm=reestimated` sets the statistics of BatchNorm to those of the training
    data before a phase, and freezes them. With `ema_decay` an average of the weights
    is kept, of which every step leaves that share, and validation and what is kept are
    of the average; 0 is off. `soup` is how many of the best epochs may be averaged,
    where that is better on validation than the best one; 0 is off. With `lora_rank`
    blocks train no more than two factors of that rank for each dense, attention and
    embedding layer, which are merged into it; 0 is off. `find_learning_rate` takes the
    rate from at most 100 steps at rising rates on training data, which are undone,
    before the first phase that trains blocks.
    """

    epochs: int = 0
    optimizer: str = "adam"
    learning_rate: float = 0.0
    backbone_multiplier: float = 1.0
    block_decay: float = 0.85
    unfreezing_steps: int = 1
    weight_decay: float = 0.0
    warmup_fraction: float = 0.1
    clip_norm: float = 1.0
    patience_epochs: int = 3
    batchnorm: str = "frozen"
    ema_decay: float = 0.0
    soup: int = 0
    lora_rank: int = 0
    find_learning_rate: bool = False


@dataclasses.dataclass(slots=True)
class CalibrationConfig:
    """What the artifact says of its own answers, measured on validation.

    `method` makes logits probabilities: `temperature`, `bias` (a temperature and a bias
    per class), `auto` (what cross-validation says), or `none`, which also accepts
    everything. `coverage` is the share of examples that are confident enough to be
    accepted, `in_distribution` the share that are like the training data; 1 refuses
    none. Prediction sets hold the right class as often as `conformal_levels` say; the
    artifact gives those of the first level.
    """

    method: str = "auto"
    coverage: float = 0.95
    in_distribution: float = 0.99
    conformal_levels: tuple[float, ...] = (0.95, 0.99)


@dataclasses.dataclass(slots=True)
class ExportConfig:
    """What the artifact can do besides answering.

    `explain` adds the signature `explain`: where on an image the network looked.
    """

    explain: bool = False


@dataclasses.dataclass(slots=True)
class RunConfig:
    """Everything that a run depends on, besides the data and the weights themselves.

    `handle` goes with the backbones `tfhub` (the path or address of a SavedModel),
    `word_vectors` (a file) and `kerashub` (the name, the address or the folder of a
    preset). `weights` is `default`, a path, or `none` for random ones. `input_size_px`
    is for images, `input_length` the tokens that texts are cut to, and 0 is the
    backbone's default; `time_budget_seconds` 0 is no limit.

    The same seed gives the same weights on the same machine; `deterministic=strict` has
    TensorFlow refuse ops that it cannot promise that of, for the whole process.

    What was done is saved when that was `checkpoint_seconds` ago, or with 0 after every
    epoch, and a run that was cut short goes on from there.

    `distribution` has several devices share each batch: `mirrored` those of this
    machine, `workers` those of all machines that TF_CONFIG names, and `tpu` the cores
    of one. `auto` is `workers` or `mirrored` where there are several, and else `none`.

    `imbalance` is for classes of very different size, and makes all of them count the
    same: by `weights` in the loss, by `sampling` each as often, or by
    `prior_correction`, which trains with the shares of the classes added to the logits.
    Then the best epoch is that of the best balanced accuracy. `auto` is the last one
    where one class has 10 times the examples of another.

    `profile` says where the seconds of a step go, and traces some for TensorBoard.
    """

    data: str = ""
    backbone: str = "efficientnet_lite0"
    handle: str = ""
    weights: str = "default"
    workdir: str = ""
    seed: int = 0
    input_size_px: int = 0
    input_length: int = 0
    precision: str = "auto"
    deterministic: str = "default"
    strategy: str = "auto"
    effort: str = "minutes"
    time_budget_seconds: float = 0.0
    batch_size: int = 32
    overwrite: bool = False
    checkpoint_seconds: float = 30.0
    distribution: str = "auto"
    imbalance: str = "none"
    profile: bool = False
    input: InputConfig = dataclasses.field(default_factory=InputConfig)
    augment: AugmentConfig = dataclasses.field(default_factory=AugmentConfig)
    head: HeadConfig = dataclasses.field(default_factory=HeadConfig)
    finetune: FinetuneConfig = dataclasses.field(default_factory=FinetuneConfig)
    calibration: CalibrationConfig = dataclasses.field(
        default_factory=CalibrationConfig
    )
    export: ExportConfig = dataclasses.field(default_factory=ExportConfig)


def checked(config: RunConfig, *, writes: bool = True) -> RunConfig:
    """A validated copy; without a workdir only for what `writes` none.

    Raises:
        ConfigError: naming the field, what came and what is allowed.
    """
    _check_types(config, RunConfig())
    for field in ("data", *(["workdir"] if writes else []), "backbone"):
        if not getattr(config, field):
            raise ConfigError(
                f"config.{field} is empty. Set it, for instance with"
                f" --config.{field}={_EXAMPLES[field]}"
            )
    for path, value in _leaves(config):
        _check_choice(path, value)
        _check_bounds(path, value)
    _check_handle(config)
    head = config.head
    if head.init == "probe" and (head.hidden_units or head.pooling != "average"):
        raise ConfigError(
            "config.head.init='probe' needs one dense layer on averaged features."
            " Remove head.hidden_units and use head.pooling='average', or set head.init"
            " to 'zeros' or 'epsilon'."
        )
    if head.pooling != "average" and (head.reads == "all" or head.grid == 2):
        raise ConfigError(
            f"config.head.pooling is '{head.pooling}', which reads the last block as it"
            " is. Leave config.head.reads and config.head.grid out, or use"
            " head.pooling='average'."
        )
    _check_finetune(config)
    if not config.calibration.conformal_levels:
        raise ConfigError(
            "config.calibration.conformal_levels is empty; the artifact gives the"
            " prediction sets of the first level. Set it, for instance to (0.95,)."
        )
    return copy.deepcopy(config)


def _check_finetune(config: RunConfig) -> None:
    """Refuses what cannot go together in the phases that train blocks."""
    strategy, tune = config.strategy, config.finetune
    options = {
        "ema_decay": tune.ema_decay,
        "soup": tune.soup,
        "lora_rank": tune.lora_rank,
        "find_learning_rate": tune.find_learning_rate,
    }
    useless = [name for name, value in options.items() if value]
    # What is set, what that does not go with, and why.
    conflicts = (
        (
            tune.batchnorm == "reestimated" and strategy in ("head_only", "scratch"),
            f"config.finetune.batchnorm is 'reestimated', but strategy '{strategy}'"
            " trains no blocks that were trained before. Use another strategy, or"
            " leave config.finetune.batchnorm out.",
        ),
        (
            useless and strategy == "head_only",
            f"config.finetune.{' and '.join(useless)} set, but strategy 'head_only'"
            " trains no blocks, and these are for phases that do. Use another strategy,"
            " or leave them out.",
        ),
        (
            tune.soup and (tune.batchnorm == "trained" or strategy == "scratch"),
            "config.finetune.soup averages weights of several epochs, and with"
            " BatchNorm in training the statistics of none of them go with the average."
            " Use finetune.batchnorm='frozen', or finetune.ema_decay in place of it.",
        ),
        (
            tune.lora_rank and (tune.soup or tune.ema_decay),
            "config.finetune.lora_rank goes with neither soup nor ema_decay: the"
            " product of averaged factors is not the average of their products. Leave"
            " one of them out.",
        ),
        (
            tune.lora_rank and strategy == "scratch",
            "config.finetune.lora_rank keeps what was learned before and adapts it, and"
            " strategy 'scratch' starts from random weights. Leave lora_rank out, or"
            " use strategy 'full'.",
        ),
        (
            tune.lora_rank and tune.batchnorm == "trained",
            "config.finetune.lora_rank trains nothing but its factors, and"
            " finetune.batchnorm is 'trained'. Use 'frozen' or 'reestimated'.",
        ),
        (
            tune.find_learning_rate and tune.learning_rate,
            f"config.finetune.learning_rate is {tune.learning_rate:g}, and"
            " find_learning_rate is to find another. Leave one of them out.",
        ),
    )
    for is_conflict, message in conflicts:
        if is_conflict:
            raise ConfigError(message)


def _check_handle(config: RunConfig) -> None:
    takes_handle = config.backbone in TAKES_HANDLE
    if takes_handle and not config.handle:
        raise ConfigError(
            f"config.handle is empty, but the backbone '{config.backbone}' is what a"
            " handle names. Set it, for instance with"
            f" --config.handle={_HANDLE_EXAMPLES[config.backbone]}"
        )
    if config.handle and not takes_handle:
        raise ConfigError(
            f"config.handle is {config.handle!r}, but the backbone '{config.backbone}'"
            f" takes none. Remove it, or set config.backbone to"
            f" {' or '.join(TAKES_HANDLE)}."
        )


_HANDLE_EXAMPLES = {
    "tfhub": "modules/efficientnet_lite0",
    "kerashub": "efficientnet_b0_ra_imagenet",
    "word_vectors": "vectors/glove.6B.100d.txt",
}
_EXAMPLES = {
    "data": "dir:photos",
    "workdir": "runs/photos",
    "backbone": "efficientnet_lite0",
}


def from_fields(fields: Mapping[str, Any]) -> RunConfig:
    """A configuration that differs from the default in the given fields.

    Raises:
        ConfigError: for a field that does not exist, with the nearest one.
    """
    names = [field.name for field in dataclasses.fields(RunConfig)]
    for name in fields:
        if name not in names:
            raise _unknown_field(name, names)
    return RunConfig(**fields)


def dotted(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The same values under dotted names: `head.dropout`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= dotted(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def to_dict(config: RunConfig) -> dict[str, Any]:
    """The configuration as plain values, ready for JSON."""
    return dataclasses.asdict(config)


def field_paths() -> list[str]:
    """Every field that a configuration has, with dots: `head.dropout`."""
    return [path for path, _ in _leaves(RunConfig())]


def differences(config: RunConfig) -> dict[str, Any]:
    """The fields that differ from the default, with dots, and their values."""
    default = dict(_leaves(RunConfig()))
    return {path: value for path, value in _leaves(config) if value != default[path]}


def described() -> list[str]:
    """A line for every field: its flag, its default, and what is allowed."""
    lines = []
    for path, value in _leaves(RunConfig()):
        allowed = ""
        if path in CHOICES:
            allowed = f"  one of {', '.join(CHOICES[path])}"
        elif path in BOUNDS:
            allowed = "  {:g} to {:g}".format(*BOUNDS[path])
        lines.append(f"  --config.{path}={value}{allowed}")
    return lines


def refuse_unknown_fields(arguments: Sequence[str]) -> None:
    """Raises `ConfigError` for the first `--config.FIELD` that does not exist.

    And for a `--FIELD`, which absl would call unknown without a word about the prefix.
    """
    known = field_paths()
    for argument in arguments:
        flag = argument.partition("=")[0].lstrip("-").removeprefix("no")
        if argument.startswith("--") and flag in known:
            raise ConfigError(
                f"There is no flag --{flag}. The fields of a config have a prefix:"
                f" --config.{flag}=VALUE"
            )
        if not argument.startswith("-") or not flag.startswith("config."):
            continue
        path = flag.removeprefix("config.")
        if path not in known:
            raise _unknown_field(path, known)


def _unknown_field(path: str, known: Sequence[str]) -> ConfigError:
    near = difflib.get_close_matches(path, known, n=1, cutoff=0.5)
    hint = f" Did you mean config.{near[0]}?" if near else ""
    return ConfigError(
        f"There is no config.{path}.{hint} The fields are {', '.join(known)}."
    )


def _leaves(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from _leaves(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", value


def _check_types(config: Any, default: Any, prefix: str = "") -> None:
    """Refuses what a config file or a caller in Python has set to another type."""
    for field in dataclasses.fields(default):
        value, wanted = getattr(config, field.name), getattr(default, field.name)
        path = f"{prefix}{field.name}"
        if not _is_like(value, wanted):
            raise ConfigError(f"config.{path} is {value!r}; expected {_kind(wanted)}.")
        if dataclasses.is_dataclass(wanted):
            _check_types(value, wanted, f"{path}.")


_KINDS = {
    str: "text",
    bool: "True or False",
    int: "a whole number",
    float: "a number",
}


def _kind(wanted: Any) -> str:
    if type(wanted) is tuple:
        kind, example = ("numbers", wanted) if wanted else ("whole numbers", (256,))
        return f"a tuple of {kind}, such as {example}"
    return _KINDS.get(type(wanted), type(wanted).__name__)


def _is_like(value: Any, wanted: Any) -> bool:
    if type(wanted) is tuple:
        # The tuple that is empty by default holds whole numbers.
        kinds = (int, float) if wanted else (int,)
        return type(value) is tuple and all(type(one) in kinds for one in value)
    return type(value) is type(wanted) or (type(wanted), type(value)) == (float, int)


def _check_choice(path: str, value: Any) -> None:
    allowed = CHOICES.get(path)
    if allowed and value not in allowed:
        raise ConfigError(f"config.{path} is {value!r}; allowed: {', '.join(allowed)}.")


def _check_bounds(path: str, value: Any) -> None:
    if path not in BOUNDS:
        return
    low, high = BOUNDS[path]
    values = value if isinstance(value, typing.Sequence) else (value,)
    if not all(low <= number <= high for number in values):
        raise ConfigError(f"config.{path} is {value}; allowed: {low:g} to {high:g}.")
