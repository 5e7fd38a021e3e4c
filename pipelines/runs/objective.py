"""The objective of a search: a trial is trained, and answers with its metric."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from pipelines.config import RunConfig
from pipelines.data.input.pixel_cache import PixelCache
from pipelines.errors import TrainingError
from pipelines.features.activation_cache import ActivationCache
from pipelines.features.extract import Activations
from pipelines.planning.plan import HeadPlan, Phase, TransferPlan
from pipelines.planning.search_space import SearchSpace
from pipelines.probing.probe import Probe
from pipelines.runs import folder as run_folder
from pipelines.runs.prepare import Prepared
from pipelines.runs.trials import OUT_OF_TIME
from pipelines.runtime.clock import Clock
from pipelines.stages.finetune import fine_tune
from pipelines.stages.head import add_head
from pipelines.stages.outputs import outputs
from pipelines.stages.plan import choose_plan
from pipelines.training.phases.workspace import Frozen, Workspace
from pipelines.training.transfer_model import TransferModel

if TYPE_CHECKING:
    import optuna


class Objective:
    """Carries out a trial and gives the compared metric on validation."""

    def __init__(
        self,
        config: RunConfig,
        prepared: Prepared,
        space: SearchSpace,
        folder: run_folder.RunFolder,
        clock: Clock,
        *,
        deadline_seconds: float,
    ) -> None:
        self.deadline_seconds = deadline_seconds
        self._config, self._prepared, self._space = config, prepared, space
        self._folder, self._clock = folder, clock
        self._start = prepared.base.model.get_weights()
        self._pixels = PixelCache(config.input.cache_mib * 2**20)
        self._known: MutableMapping[Frozen, list[Activations]] = {}
        self._probes: dict[HeadPlan, Probe | None] = {}

    def __call__(self, trial: optuna.Trial) -> float:
        config = self._space.configured(trial)
        name = f"trial {trial.number}"
        with self._clock.stage(name, _in_words(trial.params)):
            try:
                reached = self._train(trial, config)
            except TrainingError as error:
                trial.set_user_attr("reason", str(error))
                raise
        if time.monotonic() > self.deadline_seconds:
            _prune(trial, OUT_OF_TIME)
        return reached

    def _train(self, trial: optuna.Trial, config: RunConfig) -> float:
        base, splits = self._prepared.base, self._prepared.splits
        keras.utils.set_random_seed(config.seed)
        base.model.set_weights(self._start)
        plan = dataclasses.replace(
            choose_plan(base, splits, self._prepared.measured, config),
            precision=self._prepared.plan.precision,
            xla=self._prepared.plan.xla,
        )
        model = add_head(base, **self._prepared.head_of(plan.head, self._probe(plan)))
        workspace = self._workspace(trial, plan.head, config)
        phases = fine_tune(model, splits, plan, workspace).phases
        if not plan.phases:
            return self._left_out(plan)
        if phases and self._prepared.problem.counts_mistakes:
            return phases[-1].accuracy_after
        return self._metric_on_validation(model, plan)

    def _left_out(self, plan: TransferPlan) -> float:
        """The accuracy on validation of a head that was solved for it too."""
        logits = self._prepared.measured.left_out(plan.head)
        labels = self._prepared.splits.validation.labels
        if logits is None:
            raise TrainingError("The plan trains nothing. Set config.head.epochs.")
        return float((logits.argmax(axis=1) == labels).mean())

    def _metric_on_validation(self, model: TransferModel, plan: TransferPlan) -> float:
        """The compared metric of all outputs at once, where epochs have another."""
        problem, validation = self._prepared.problem, self._prepared.splits.validation
        (answers,) = outputs(
            model,
            [validation],
            batch_size=plan.batch_size,
            known=self._prepared.measured.known,
        )
        judged = problem.judge(answers.logits, answers.labels)
        weights = validation.relative_weights
        average = float(np.average(judged.quality, weights=weights))
        return problem.reached(answers.logits, answers.labels, average, weights)

    def _workspace(
        self, trial: optuna.Trial, head: HeadPlan, config: RunConfig
    ) -> Workspace:
        folder = self._folder.path / "trials" / f"{trial.number:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        own_deadline = (
            time.monotonic() + config.time_budget_seconds
            if config.time_budget_seconds
            else np.inf
        )
        prune = PruneByMedian(trial, self._prepared.problem.epoch_metric)
        return Workspace(
            history_path=folder / "history.jsonl",
            tensorboard_dir=folder / "tensorboard",
            deadline_seconds=min(self.deadline_seconds, own_deadline),
            head_features=self._prepared.measured.head_features(head),
            pixel_cache=self._pixels,
            activation_cache=ActivationCache(self._folder.cache_dir),
            known_activations=self._known,
            callbacks=lambda phase: _pruning(phase, prune),
        )

    def _probe(self, plan: TransferPlan) -> Probe | None:
        """The probe of a plan, solved once for each head."""
        head = plan.head
        if head not in self._probes:
            self._probes[head] = self._prepared.measured.probe(
                head, balanced=plan.balances_classes
            )
        return self._probes[head]


class PruneByMedian(keras.callbacks.Callback):
    """Ends a trial whose best epoch so far is worse than the median of the others.

    Epochs are counted over all phases that it is given to.
    """

    def __init__(self, trial: optuna.Trial, metric: str = "accuracy") -> None:
        super().__init__()
        self._trial = trial
        self._key = f"val_{metric}"
        self._epochs = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Reports the metric, and ends a trial that is worse than the median."""
        self._epochs += 1
        self._trial.report(float((logs or {})[self._key]), self._epochs)
        if self._trial.should_prune():
            _prune(
                self._trial,
                f"worse than the median of other trials after epoch {self._epochs}",
            )


def _pruning(
    phase: Phase, prune: keras.callbacks.Callback
) -> tuple[keras.callbacks.Callback, ...]:
    """A head trains on kept features in no time; only other phases are worth ending."""
    return () if phase.trains_head_only else (prune,)


def _prune(trial: optuna.Trial, reason: str) -> None:
    from optuna import TrialPruned

    trial.set_user_attr("reason", reason)
    raise TrialPruned(reason)


def _in_words(choices: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in choices.items()
    )
