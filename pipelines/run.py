"""A run: from a config to a run folder with a servable artifact.

The picture of the whole pipeline: every stage turns one value into the next, and
nothing flows back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from pipelines import environment, record, workdir
from pipelines.clock import Clock
from pipelines.config import RunConfig, checked
from pipelines.data import imbalance
from pipelines.data.card import as_markdown, card_of
from pipelines.data.load import check_and_split, read
from pipelines.data.pixel_cache import PixelCache
from pipelines.data.reference import DatasetRef
from pipelines.planning.plan import TransferPlan, to_dict
from pipelines.planning.policy import TrainingFacts, decide
from pipelines.stages.base import freeze_base
from pipelines.stages.evaluate import evaluate
from pipelines.stages.export import export
from pipelines.stages.finetune import FitHistory, FitSettings, fine_tune
from pipelines.stages.head import add_head
from pipelines.stages.keep import keep
from pipelines.stages.obtain import obtain
from pipelines.training.feed import refuse_augmentation
from pipelines.training.precision import precision


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """What a finished run leaves. `report` has the values of `report.json`."""

    plan: TransferPlan
    history: FitHistory
    report: Mapping[str, Any]
    model: keras.Model
    workdir: Path
    artifact_dir: Path


def run(config: RunConfig) -> Run:
    """Carries out a config, and leaves its run folder.

    Raises:
        ConfigError, DataError, BackboneError: before anything is written.
        TrainingError, ArtifactError: with the folder left as an unfinished run.
    """
    config = checked(config)
    folder = workdir.claim(config)
    clock = Clock()
    keras.utils.set_random_seed(config.seed)
    with precision(config.precision):
        reference = DatasetRef.parse(config.data)
        examples = read(reference)
        refuse_augmentation(config.augment, examples.inputs)
        with clock.stage("obtain", f"{config.backbone}, weights {config.weights}"):
            base = freeze_base(obtain(config, examples.inputs))
        with clock.stage("data", config.data):
            splits = check_and_split(examples, reference, on_progress=clock.progress)
        facts = TrainingFacts(
            examples=len(splits.train),
            classes=len(splits.info.class_names),
            block_names=base.spec.block_names,
            trainable=base.spec.trainable,
        )
        plan = decide(facts, config)
        folder.begin(config, environment.describe())
        folder.write("plan.json", to_dict(plan))
        card = card_of(
            splits, seed=config.seed, versions=environment.installed_versions()
        )
        folder.write("data_card.json", card)
        folder.write_text("data_card.md", as_markdown(card))
        with clock.stage("head", f"{facts.classes} classes"):
            model = add_head(base, classes=facts.classes, plan=plan.head)
        with clock.stage("finetune", plan.reason):
            settings = FitSettings(
                input_size_px=base.input_size_px,
                seed=config.seed,
                deadline_seconds=clock.deadline(config.time_budget_seconds),
                history_path=folder.history_path,
                tensorboard_dir=folder.tensorboard_dir,
                imbalance=imbalance.resolve(
                    config.imbalance, splits.train.labels, facts.classes
                ),
                augment=config.augment,
                cache=PixelCache(config.input.cache_mib * 2**20),
            )
            history = fine_tune(model, splits, plan, settings)
        with clock.stage("evaluate", "validation and test, every example once"):
            reports = [
                evaluate(
                    model.model,
                    split,
                    class_names=splits.info.class_names,
                    input_size_px=base.input_size_px,
                    batch_size=plan.batch_size,
                )
                for split in (splits.validation, splits.test)
            ]
        with clock.stage("export", f"to {folder.artifact_base}"):
            artifact = export(
                model,
                splits.test,
                folder.artifact_base,
                class_names=splits.info.class_names,
                facts=record.artifact_facts(splits, plan, reports),
            )
            kept = keep(base, folder.checkpoints_dir, handle=config.handle)
    report = record.report(splits, plan, history, reports, artifact, kept, clock)
    folder.finish(report)
    return Run(plan, history, report, model.model, folder.path, artifact.path)
