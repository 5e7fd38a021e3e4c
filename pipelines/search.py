"""A search: the same data and backbone trained in several ways, and the best of them.

The base is obtained, the data are checked and split, and the features are measured
once; then every trial starts from the same weights. Trials are compared on validation.
Test is never looked at.
"""

from __future__ import annotations

import contextlib
import importlib.util
import time

from pipelines.config import RunConfig, checked, to_dict
from pipelines.data.reference import DatasetRef
from pipelines.errors import ConfigError, TrainingError
from pipelines.planning import compute
from pipelines.planning.search_space import search_space
from pipelines.runs import folder as run_folder
from pipelines.runs import record, resume
from pipelines.runs.objective import Objective
from pipelines.runs.prepare import prepare
from pipelines.runs.search_result import Search, result_of
from pipelines.runs.trials import counts, open_study, queue
from pipelines.runtime.clock import Clock
from pipelines.runtime.determinism import determinism
from pipelines.runtime.precision import precision
from pipelines.stages.backbones.choose import applied


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
    _refuse_incomparable(config, trials)
    with run_folder.locked(config, kind="search") as folder:
        if config.overwrite:
            (folder.path / run_folder.TRIALS).unlink(missing_ok=True)
        return _search(config, folder, trials, time_budget_seconds)


def _refuse_incomparable(config: RunConfig, trials: int) -> None:
    if config.distribution not in ("auto", "none"):
        raise ConfigError(
            f"config.distribution is '{config.distribution}', and a search trains on"
            " one device. Leave it out here; `zoo train` with the config that the"
            " search writes can have it."
        )
    for field in ("folds", "test_views", "adapt"):
        if getattr(config, field) != getattr(RunConfig(), field):
            raise ConfigError(
                f"config.{field} is set, and a search compares trials on one validation"
                " split of one domain, with one view of each image. Leave it out here;"
                " `zoo train` with the config that the search writes can have it."
            )
    if trials < 1:
        raise ConfigError(f"A search makes {trials} trials; give 1 or more.")


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
        objective = Objective(
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
    return result_of(study, space, folder, prepared, clock, time_budget_seconds)
