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
from pipelines.config.sections.adapt import AdaptConfig
from pipelines.config.sections.answers import (
    AnomalyConfig,
    CalibrationConfig,
    ExportConfig,
)
from pipelines.config.sections.backbone import AutoConfig
from pipelines.config.sections.distil import DistilConfig
from pipelines.config.sections.examples import AugmentConfig, InputConfig
from pipelines.config.sections.finetune import FinetuneConfig
from pipelines.config.sections.head import HeadConfig
from pipelines.display import records
from pipelines.errors import ConfigError

RANDOM_WEIGHTS = "none"
AUTO_BACKBONE = "auto"


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
        " on the others, or with fold_head=best and blocks that train, by a network. 0"
        " is one of them, and validation as it is.",
    )
    fold_head: str = option(
        "average",
        choices=("average", "best"),
        help="With folds: the artifact has the average of their heads, which needs"
        " strategy=head_only, or the best one on the fold that it did not see.",
    )
    test_views: str = option(
        "none",
        choices=("none", "flip", "auto"),
        help="Views of each image that the artifact averages, in its graph: flip is the"
        " image and its mirror image, at twice the cost. auto takes it where examples"
        " out of fold are answered better by more than a standard error. Needs"
        " strategy=head_only.",
    )
    unlabelled: str = option(
        "",
        help="Reference of examples without labels, such as dir:more, whose folder may"
        " hold the images themselves. Labels spread to them from the training examples,"
        " and the head learns from both, if that answers labelled examples out of fold"
        " better. Needs strategy=auto or head_only.",
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
    adapt: AdaptConfig = dataclasses.field(default_factory=AdaptConfig)
    distil: DistilConfig = dataclasses.field(default_factory=DistilConfig)


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
