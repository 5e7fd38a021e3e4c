"""From a config to a plan: what `zoo plan` prints, and what a run starts from."""

from __future__ import annotations

import dataclasses

import keras

from pipelines.clock import Clock
from pipelines.config import RunConfig
from pipelines.data.broken import broken_files_named
from pipelines.data.imbalance import resolve
from pipelines.data.load import check_and_split, read
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Splits
from pipelines.planning.plan import TransferPlan
from pipelines.planning.policy import decide
from pipelines.stages.base import freeze_base
from pipelines.stages.explain import explained_map
from pipelines.stages.measure import Measured, measure, training_facts
from pipelines.stages.obtain import obtain
from pipelines.training.feed import refuse_augmentation
from zoo.builder import Backbone


@dataclasses.dataclass(frozen=True, eq=False)
class Prepared:
    """Everything that is known before anything is trained.

    `imbalance` is what is done about it, and not `auto` any more.
    """

    base: Backbone
    splits: Splits
    imbalance: str
    measured: Measured
    plan: TransferPlan


def prepare(config: RunConfig, clock: Clock) -> Prepared:
    """Obtains the base, checks and splits the data, measures, and decides.

    Writes nothing but caches.

    Raises:
        ConfigError, DataError, BackboneError, TrainingError: see the stages.
    """
    keras.utils.set_random_seed(config.seed)
    reference = DatasetRef.parse(config.data)
    examples = read(reference)
    refuse_augmentation(config.augment, examples.inputs)
    with clock.stage("obtain", f"{config.backbone}, weights {config.weights}"):
        base = freeze_base(obtain(config, examples.inputs))
    if config.export.explain:
        explained_map(base)  # refused now, and not after the training
    with clock.stage("data", config.data):
        splits = check_and_split(examples, reference, on_progress=clock.progress)
    with (
        clock.stage("measure", "what the features are worth on these data"),
        broken_files_named(splits.train, splits.validation),
    ):
        measured = measure(base, splits, config, clock)
    plan = decide(training_facts(base, splits, measured), config)
    imbalance = resolve(
        config.imbalance, splits.train.labels, len(splits.info.class_names)
    )
    return Prepared(base, splits, imbalance, measured, plan)
