"""A small training run to be cut short."""

from __future__ import annotations

import dataclasses
import math
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipelines.config import AugmentConfig, RunConfig
from pipelines.data.load import check_and_split, read
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Splits
from pipelines.planning.plan import TransferPlan
from pipelines.planning.policy import decide
from pipelines.runtime.clock import Clock
from pipelines.stages.base import freeze_base
from pipelines.stages.finetune import FitHistory, fine_tune
from pipelines.stages.head import add_head
from pipelines.stages.measure import Measured, measure, training_facts
from pipelines.stages.obtain import obtain
from pipelines.training.checkpoint import Checkpoints
from pipelines.training.phases.workspace import Workspace
from pipelines.training.progress import Progress, Saving
from pipelines.training.transfer_model import TransferModel

SIZE = 16


class Photographed(Checkpoints):
    """Copies its folder after every write: what a kill at that moment leaves."""

    def write(self, values, groups) -> None:
        super().write(values, groups)
        copies = self.folder.parent / "copies"
        shutil.copytree(self.folder, copies / f"{len(self.places):03d}")
        self.places.append(values["place"])

    @property
    def places(self) -> list:
        return self.__dict__.setdefault("_places", [])


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What training leaves: weights, all other variables, and what it said."""

    variables: list[np.ndarray]
    history: FitHistory
    lines: str

    def without_seconds(self) -> Any:
        phases = []
        for phase in self.history.phases:
            values = dataclasses.asdict(phase)
            for timed in ("seconds", "images_per_second"):
                del values[timed]
            for epoch in values["epochs"]:
                del epoch["seconds"]
            phases.append(values)
        return phases, self.history.skipped


@dataclasses.dataclass(frozen=True)
class Parts:
    """What training takes, but the model, which it changes."""

    config: RunConfig
    splits: Splits
    measured: Measured
    plan: TransferPlan

    def model(self) -> TransferModel:
        keras.utils.set_random_seed(self.config.seed)
        base = freeze_base(obtain(self.config, self.splits.train.inputs))
        probe = self.measured.probe(self.plan.head)
        return add_head(base, classes=10, plan=self.plan.head, probe=probe)

    def train(
        self,
        folder: Path,
        checkpoints: Checkpoints,
        *,
        every_seconds: float,
        share_of_time: float = math.inf,
        plan: TransferPlan | None = None,
        kind: type[Progress] = Progress,
        **resources: Any,
    ) -> Outcome:
        """Trains, or goes on from what the checkpoints hold."""
        folder.mkdir(parents=True, exist_ok=True)
        history_path, plan = folder / "history.jsonl", plan or self.plan
        saving = Saving(checkpoints, {}, history_path, every_seconds, share_of_time)
        model = self.model()
        history = fine_tune(
            model,
            self.splits,
            plan,
            Workspace(
                history_path=history_path,
                tensorboard_dir=folder / "tensorboard",
                progress=kind(saving, checkpoints.newest()),
                **resources,
            ),
        )
        variables = [keras.ops.convert_to_numpy(v) for v in model.model.variables]
        return Outcome(variables, history, history_path.read_text())


def make_parts(*, cut_after: str = "") -> Parts:
    """The head alone for 2 epochs, and then all blocks for 3.

    Or, of a network that is cut after a block, that block alone.
    """
    config = RunConfig(
        data="builtin:digits?limit=120",
        backbone="tiny_image",
        weights="none",
        input_size_px=SIZE,
        strategy="cut" if cut_after else "full",
        batch_size=15,
    )
    config.head.cut_after = config.finetune.from_block = cut_after
    config.head.epochs = 2
    config.head.dropout = 0.3
    config.finetune.epochs = 3
    config.finetune.batchnorm = "trained"
    # Undone, two runs would be the same whatever they did.
    config.finetune.guard = False
    reference = DatasetRef.parse(config.data)
    examples = read(reference)
    keras.utils.set_random_seed(config.seed)
    base = freeze_base(obtain(config, examples.inputs))
    splits = check_and_split(examples, reference)
    measured = measure(base, splits, config, Clock())
    plan = decide(training_facts(base, splits, measured), config)
    plan = dataclasses.replace(plan, augment=AugmentConfig(strength="none"))
    return Parts(config, splits, measured, plan)
