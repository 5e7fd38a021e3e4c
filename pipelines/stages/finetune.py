"""Stage 4: fine-tune, phase by phase, as the plan says.

The only stage that trains.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Sequence

import keras
import numpy as np

from pipelines.data.checks.changed_files import broken_files_named
from pipelines.data.splits import Splits
from pipelines.planning.plan import (
    NOTICEABLE,
    Phase,
    TransferPlan,
    blocks_could_gain,
)
from pipelines.problems.registry import problem_of
from pipelines.training import lora
from pipelines.training.distributed.workers import Workers
from pipelines.training.phases.phase import TrainingExplodedError, is_solved, run_phase
from pipelines.training.phases.result import PhaseResult, result_of
from pipelines.training.phases.task import PhaseInputs
from pipelines.training.phases.workspace import Workspace
from pipelines.training.transfer_model import TransferModel

_MAXIMUM_RETRIES = 2

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True)
class FitHistory:
    """The phases that ran, in order.

    `skipped` names the phases that the time did not allow, `not_needed` the phases that
    were left out because validation could not have shown their gain.
    """

    phases: tuple[PhaseResult, ...]
    skipped: tuple[str, ...]
    not_needed: tuple[str, ...] = ()


def fine_tune(
    model: TransferModel, splits: Splits, plan: TransferPlan, workspace: Workspace
) -> FitHistory:
    """Trains the model in place and gives what every phase did.

    At the deadline training stops with the best weights so far; later phases are
    skipped. A guarded phase is left out where what is wrong on validation by now is too
    little for it to be kept, and ends after one epoch that did harm. What
    `workspace.progress` says was done is not done again.

    A phase whose loss explodes starts over at a tenth of its rate, at most twice.

    Raises:
        TrainingError: if the loss is not a number all the same, or if anything frozen
            moved.
        DataError: naming files that have changed since they were checked.
    """
    plan.check_covers([block.name for block in model.backbone.blocks])
    progress = workspace.progress
    progress.resume(model.model)
    workers = workspace.distribution.workers
    # A probe is solved, and BatchNorm measured, by each worker for itself.
    workers.broadcast_variables(model.model.variables)
    done = {values["name"]: result_of(values) for values in progress.finished}
    results: list[PhaseResult] = []
    skipped, not_needed = [], []
    with broken_files_named(splits.train, splits.validation):
        for index, phase in enumerate(plan.phases):
            if phase.name in done:
                results.append(done[phase.name])
                continue
            is_late = workers.broadcast(time.monotonic() > workspace.deadline_seconds)
            if results and is_late and not progress.is_inside(index):
                skipped.append(phase.name)
                continue
            phase = _at_found_rate(phase, results)
            seed = plan.seed + index
            inputs = PhaseInputs(model, splits, plan, phase, workspace, seed)
            if not progress.is_inside(index) and _cannot_gain(inputs, results):
                _logger.info(
                    "%s: left out, too few validation examples are wrong", phase.name
                )
                not_needed.append(phase.name)
                continue
            # So that what a phase draws does not depend on the ones before it.
            keras.utils.set_random_seed(seed)
            attempt = progress.phase_begins(index, model.model)
            result = _run_stably(inputs, attempt)
            results.append(_of_chief(result, model, workers))
            progress.phase_ends(dataclasses.asdict(results[-1]), model.model)
    return FitHistory(tuple(results), tuple(skipped), tuple(not_needed))


def _of_chief(
    result: PhaseResult, model: TransferModel, workers: Workers
) -> PhaseResult:
    """The chief's result, and its weights in the model: both lead what comes next."""
    if workers.is_alone:
        return result
    workers.broadcast_variables(model.model.variables)
    return result_of(workers.broadcast(dataclasses.asdict(result)))


def _cannot_gain(inputs: PhaseInputs, results: Sequence[PhaseResult]) -> bool:
    """True if validation could not show the gain of a guarded phase."""
    phase, plan, splits = inputs.phase, inputs.plan, inputs.splits
    # Where classes are balanced, an accuracy says nothing of the number of examples.
    if not phase.only_if_better or plan.imbalance != "none":
        return False
    if not problem_of(splits).counts_mistakes:
        return False
    accuracy = results[-1].accuracy_after if results else _accuracy_at_start(inputs)
    if accuracy is None:
        return False
    wrong = round((1 - accuracy) * len(splits.validation))
    return _is_too_little(wrong, phase, solved=is_solved(plan, phase))


def _is_too_little(wrong: int, phase: Phase, *, solved: bool) -> bool:
    """True if too few validation examples are wrong for a phase to be kept.

    Blocks, which take a while, and a head that is solved already are left out if the
    expected gain would not exceed its standard error. Other heads are cheap: they train
    if any gain could be noticed, as does a phase that is asked for by name.
    """
    if wrong < NOTICEABLE:
        return True
    is_cheap = phase.trains_head_only and not solved
    return not (is_cheap or phase.asked_for or blocks_could_gain(wrong))


def _accuracy_at_start(inputs: PhaseInputs) -> float | None:
    """The validation accuracy of a solved head that is not `asked_for`, or `None`."""
    model, splits, kept = inputs.model, inputs.splits, inputs.workspace.head_features
    solved = is_solved(inputs.plan, inputs.phase)
    if kept is None or inputs.phase.asked_for or not solved:
        return None
    logits = np.asarray(model.head(kept[1], training=False), np.float32)
    answers = problem_of(splits).judge(logits, splits.validation.labels).quality
    return float(np.average(answers, weights=splits.validation.relative_weights))


def _at_found_rate(phase: Phase, earlier: Sequence[PhaseResult]) -> Phase:
    """The phase at the rate that an earlier one has found, if it trains blocks."""
    results = [result for result in earlier if result.rate_found]
    if not results or phase.trains_head_only:
        return phase
    return dataclasses.replace(phase, learning_rate=results[0].learning_rate)


def _run_stably(inputs: PhaseInputs, attempt: int) -> PhaseResult:
    model, phase = inputs.model, inputs.phase
    start = model.model.get_weights()
    # The rate that a phase found is not saved: one that started over with that is done
    # from its beginning, to the same result.
    attempt = 0 if phase.find_learning_rate else attempt
    for _ in range(attempt):
        phase = _slower(phase, than=phase.learning_rate)
    for number in range(attempt, _MAXIMUM_RETRIES):
        inputs.workspace.progress.attempt_begins(number)
        try:
            slower = dataclasses.replace(inputs, phase=phase)
            return run_phase(slower, may_explode=False)
        except TrainingExplodedError as error:
            lora.merge(model.backbone.blocks)
            model.model.set_weights(start)
            phase = _slower(phase, than=error.learning_rate)
            _logger.warning("%s Starting it over at %g.", error, phase.learning_rate)
    inputs.workspace.progress.attempt_begins(_MAXIMUM_RETRIES)
    # A guarded phase will be undone; any other one has nothing to fall back on.
    guarded = phase.only_if_better
    return run_phase(dataclasses.replace(inputs, phase=phase), may_explode=guarded)


def _slower(phase: Phase, *, than: float) -> Phase:
    return dataclasses.replace(phase, learning_rate=than / 10, find_learning_rate=False)
