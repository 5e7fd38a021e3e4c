"""The stages of a run on the tiny backbone, for tests of one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from pipelines.config import AugmentConfig, RunConfig
from pipelines.data.splits import ImageFiles, Splits
from pipelines.features.activation_cache import ActivationCache
from pipelines.planning.plan import TransferPlan
from pipelines.planning.policy import decide
from pipelines.problems.registry import problem_of
from pipelines.runtime.clock import Clock
from pipelines.stages.base import freeze_base
from pipelines.stages.finetune import FitHistory, fine_tune
from pipelines.stages.head import add_head
from pipelines.stages.measure import measure, training_facts
from pipelines.stages.obtain import obtain
from pipelines.training.phases.workspace import Workspace
from pipelines.training.transfer_model import TransferModel

SIZE = 16
IMAGES = ImageFiles(("a.png", "b.png"))


def tiny_config(**fields: Any) -> RunConfig:
    """The tiny backbone with random weights, for two epochs a phase."""
    config = RunConfig(
        backbone="tiny_image", weights="none", input_size_px=SIZE, **fields
    )
    config.head.epochs = 2
    config.finetune.epochs = 2
    return config


def train_stages(
    folder: Path,
    splits: Splits,
    config: RunConfig,
    *,
    edit: Callable[[TransferPlan], TransferPlan] = lambda plan: plan,
    deadline: float = float("inf"),
    disk: ActivationCache | None = None,
    known: dict | None = None,
    profile: bool = False,
) -> tuple[TransferModel, FitHistory]:
    """Trains as a run does, with a plan that `edit` may change, and exports nothing.

    Activations are cached on `disk`, or held by `known` for the next call.
    """
    keras.utils.set_random_seed(config.seed)
    base = freeze_base(obtain(config, IMAGES))
    measured = measure(base, splits, config, Clock())
    plan = decide(training_facts(base, splits, measured), config)
    plain = AugmentConfig(strength="none")
    plan = edit(dataclasses.replace(plan, augment=plain))
    probe = measured.probe(plan.head)
    problem = problem_of(splits)
    model = add_head(
        base,
        classes=problem.units,
        plan=plan.head,
        probe=probe,
        output_layers=problem.output_layers(probe),
    )
    workspace = Workspace(
        history_path=folder / "history.jsonl",
        tensorboard_dir=folder / "tensorboard",
        deadline_seconds=deadline,
        head_features=None if disk else measured.head_features(plan.head),
        activation_cache=disk,
        known_activations=known,
        profile=profile,
    )
    return model, fine_tune(model, splits, plan, workspace)
