"""A search: the same data and backbone trained in several ways, and the best of them.

The base is obtained, the data are checked and split, and the features are measured
once; then every trial starts from the same weights. Trials are compared on validation.
Test is never looked at.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import textwrap
import time
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from pipelines.config import RunConfig, checked, differences, to_dict
from pipelines.data.input.pixel_cache import PixelCache
from pipelines.data.reference import DatasetRef
from pipelines.errors import ConfigError, TrainingError
from pipelines.features.activation_cache import ActivationCache
from pipelines.features.extract import Activations
from pipelines.planning import compute
from pipelines.planning.plan import HeadPlan, Phase, TransferPlan
from pipelines.planning.search_space import SearchSpace, search_space
from pipelines.probing.probe import Probe
from pipelines.runs import folder as run_folder
from pipelines.runs import record, resume
from pipelines.runs.prepare import Prepared, prepare
from pipelines.runs.trials import (
    OUT_OF_TIME,
    Trial,
    choose,
    counts,
    open_study,
    plain,
    queue,
)
from pipelines.runtime.clock import Clock
from pipelines.runtime.determinism import determinism
from pipelines.runtime.precision import precision
from pipelines.stages.backbones.choose import applied
from pipelines.stages.finetune import fine_tune
from pipelines.stages.head import add_head
from pipelines.stages.outputs import outputs
from pipelines.stages.plan import choose_plan
from pipelines.training.phases.workspace import Frozen, Workspace
from pipelines.training.transfer_model import TransferModel

if TYPE_CHECKING:
    import optuna

RESULT = "tuning.json"
BEST = "best_config.py"


@dataclasses.dataclass(frozen=True, repr=False)
class Search:
    """The result of a search: the trials, and the number of the `chosen` one.

    `config_path` is a config file for `zoo train`. `warning` says what the metric on
    validation is worth after this many looks at it.
    """

    trials: tuple[Trial, ...]
    chosen: int
    reason: str
    warning: str
    validation_examples: int
    config_path: Path
    seconds: Mapping[str, float]

    def __repr__(self) -> str:
        return (
            f"<Search: {len(self.trials)} trials, {self.chosen} was chosen,"
            f" {self.config_path}>"
        )


def search(
    config: RunConfig, *, trials: int, time_budget_seconds: float = 0.0
) -> Search:
    """Tries the plan's default first, and then other choices, `trials` in all.

    A search that was interrupted goes on where it was: the same command in the same
    workdir. `time_budget_seconds` is for this call, and 0 sets none; a trial that it
    cuts short counts for nothing, and is made again when the search goes on.

    Raises:
        ConfigError: if Optuna is missing, there is nothing to choose, the workdir holds
            something else, or the budget does not suffice for one trial.
        DataError, BackboneError, TrainingError: as a run does.
    """
    if importlib.util.find_spec("optuna") is None:
        raise ConfigError(
            "A search needs the package optuna: pip install 'zootune[tune]'"
        )
    config = checked(config)
    if config.distribution not in ("auto", "none"):
        raise ConfigError(
            f"config.distribution is '{config.distribution}', and a search trains on"
            " one device. Leave it out here; `zoo train` with the config that the"
            " search writes can have it."
        )
    for field in ("folds", "test_views"):
        if getattr(config, field) != getattr(RunConfig(), field):
            raise ConfigError(
                f"config.{field} is set, and a search compares trials on one validation"
                " split, with one view of each image. Leave it out here; `zoo train`"
                " with the config that the search writes can have it."
            )
    if trials < 1:
        raise ConfigError(f"A search makes {trials} trials; give 1 or more.")
    with run_folder.locked(config, kind="search") as folder:
        if config.overwrite:
            (folder.path / run_folder.TRIALS).unlink(missing_ok=True)
        return _search(config, folder, trials, time_budget_seconds)


def _search(
    config: RunConfig,
    folder: run_folder.RunFolder,
    trials: int,
    time_budget_seconds: float,
) -> Search:
    clock = Clock()
    with contextlib.ExitStack() as stack:
        stack.enter_context(determinism(config.deterministic))
        dataset = DatasetRef.parse(config.data)
        asked = config
        prepared = prepare(
            config,
            dataset,
            clock,
            before=resume.compute_before(config, folder),
            chosen_before=resume.choice_before(config, folder),
        )
        if not prepared.problem.trains:
            raise ConfigError(
                f"`zoo tune` compares trials by labels, and {prepared.problem.name!r}"
                " fits a detector to normal examples alone. `zoo train` with each"
                " config.anomaly.method takes seconds; compare their `auroc` on test."
            )
        if prepared.choice is not None:
            config = applied(config, prepared.choice)
        stack.enter_context(precision(prepared.plan.precision))
        space = search_space(
            config,
            prepared.plan,
            prepared.measured.evidence,
            modality=prepared.splits.train.inputs.modality,
            trainable=prepared.base.spec.trainable,
        )
        folder.path.mkdir(parents=True, exist_ok=True)
        if not (folder.path / "config.json").is_file() or config.overwrite:
            folder.write("config.json", to_dict(asked))
        folder.write(resume.COMPUTE, compute.to_dict(prepared.compute))
        if prepared.choice is not None:
            folder.write(resume.BACKBONE, record.chosen(prepared.choice))
        study = open_study(
            folder.path,
            seed=config.seed,
            fingerprint=prepared.splits.info.fingerprint,
        )
        queue(study, space.default(prepared.plan))
        objective = _Objective(
            config,
            prepared,
            space,
            folder,
            clock,
            deadline_seconds=clock.deadline(time_budget_seconds),
        )
        while time.monotonic() < objective.deadline_seconds:
            if sum(map(counts, study.trials)) >= trials:
                break
            study.optimize(objective, n_trials=1, catch=(TrainingError,))
    return _result(study, space, folder, prepared, clock, time_budget_seconds)


class _Objective:
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
        if not phases:
            return self._left_out(plan)
        if self._prepared.problem.counts_mistakes:
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


def _result(
    study: optuna.Study,
    space: SearchSpace,
    folder: run_folder.RunFolder,
    prepared: Prepared,
    clock: Clock,
    time_budget_seconds: float,
) -> Search:
    ended = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    if not ended:
        raise ConfigError(
            f"No trial ended within {time_budget_seconds:.0f} s, and measuring took"
            f" {clock.seconds['measure']:.0f} s of them. Give more time; the same"
            " command goes on."
        )
    examples = len(prepared.splits.validation)
    metric = prepared.problem.metric
    chosen, reason = choose(
        ended, examples, metric=metric, standard_error=_standard_error(prepared)
    )
    path = folder.path / BEST
    # As the trials were: a clock could choose something else for another run.
    config = dataclasses.replace(
        space.configured(_fixed(chosen)), precision=prepared.plan.precision
    )
    looks = sum(map(counts, study.trials))
    warning = (
        f"Validation has chosen among {looks} trials, so its {metric} of"
        f" {chosen.value:.4f} is on the bright side, as is what is calibrated on it."
        f" Test was not looked at: train with the config and read its {metric} there."
    )
    search = Search(
        trials=tuple(
            plain(trial) for trial in study.trials if trial.state.is_finished()
        ),
        chosen=chosen.number,
        reason=reason,
        warning=warning,
        validation_examples=examples,
        config_path=path,
        seconds={**clock.seconds, "total": clock.total_seconds},
    )
    folder.write_text(BEST, _config_file(config, f"{reason} {warning}", path))
    folder.write(RESULT, to_plain(search))
    return search


def _standard_error(prepared: Prepared) -> float | None:
    """The standard error of the compared metric on validation.

    It was measured on training examples that were left out, and errors shrink with the
    root of the number of examples. None for an accuracy, whose error follows from it.
    """
    if prepared.problem.counts_mistakes:
        return None
    evidence = prepared.measured.evidence
    if evidence is None:  # where nothing was measured, any gain counts
        return 0.0
    share = evidence.examples / len(prepared.splits.validation)
    return float(evidence.best_head.standard_error * np.sqrt(share))


def to_plain(search: Search) -> dict[str, Any]:
    """The values of `tuning.json`."""
    return {**dataclasses.asdict(search), "config_path": str(search.config_path)}


def _fixed(trial: optuna.trial.FrozenTrial) -> Any:
    """A trial that suggests again what it did."""
    from optuna.trial import FixedTrial

    return FixedTrial(trial.params)


def _config_file(config: RunConfig, purpose: str, path: Path) -> str:
    """A config file with the fields that differ from the default."""
    left_out = ("workdir", "overwrite")
    lines = [
        f"    config.{name} = {value!r}"
        for name, value in differences(config).items()
        if name not in left_out
    ]
    return "\n".join(
        [
            '"""The config that a search chose.',
            "",
            textwrap.fill(purpose, 88),
            "",
            f"Command: zoo train --config={path.name} --config.workdir=FOLDER",
            '"""',
            "",
            "from pipelines.config import RunConfig",
            "",
            "",
            "def get_config() -> RunConfig:",
            "    config = RunConfig()",
            *lines,
            "    return config",
            "",
        ]
    )
