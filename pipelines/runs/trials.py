"""The trials of a search: kept in a file, made again if lost, and compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import ConfigError
from pipelines.runs.folder import TRIALS

if TYPE_CHECKING:
    import optuna

# The reason of a trial that the deadline of a search cut short.
OUT_OF_TIME = "no time was left"
# Trials that ended before others are compared with them.
_TRIALS_BEFORE_PRUNING = 3
_TRIALS_AT_RANDOM = 5
# Marks the trial that does what the plan would do without a search.
_DEFAULT = "default"


@dataclasses.dataclass(frozen=True)
class Trial:
    """One way of training, and its accuracy on validation.

    `outcome` is `complete`, `pruned` or `failed`, for the `reason`; only the first has
    an `accuracy`, which is balanced where `config.imbalance` is not `none`. It is the
    metric that is compared where that is not an accuracy.
    """

    number: int
    choices: Mapping[str, Any]
    outcome: str
    reason: str
    accuracy: float | None
    seconds: float | None


def open_study(folder: Path, *, seed: int, fingerprint: str) -> optuna.Study:
    """The trials so far, in a file that survives a kill.

    Raises:
        ConfigError: if they were made on data of another fingerprint.
    """
    import optuna

    # What it says is said by the clock, in this project's words.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name="search",
        storage=f"sqlite:///{folder.absolute() / TRIALS}",
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_TRIALS_BEFORE_PRUNING),
    )
    # A search that goes on must not suggest what it did before.
    study.sampler = optuna.samplers.TPESampler(
        seed=seed + len(study.trials), n_startup_trials=_TRIALS_AT_RANDOM
    )
    before = study.user_attrs.get("fingerprint", fingerprint)
    if before != fingerprint:
        raise ConfigError(
            f"The data have changed since the trials in {folder} were made. Choose"
            " another config.workdir, or set config.overwrite to begin anew."
        )
    study.set_user_attr("fingerprint", fingerprint)
    return study


def queue(study: optuna.Study, default: dict[str, object]) -> None:
    """Queues the default first, and then all interrupted trials again."""
    from optuna.trial import TrialState

    if not study.trials:
        study.enqueue_trial(default, user_attrs={_DEFAULT: True})
    again = set(study.user_attrs.get("again", []))
    for trial in study.trials:
        if trial.state == TrialState.RUNNING:
            study.tell(trial.number, state=TrialState.FAIL)
        elif trial.state == TrialState.WAITING or counts(trial):
            continue
        if trial.number not in again:
            is_default = _is_default(trial)
            study.enqueue_trial(
                default if is_default else trial.params,
                user_attrs={_DEFAULT: True} if is_default else None,
            )
            study.set_user_attr("again", sorted(again := again | {trial.number}))


def counts(trial: optuna.trial.FrozenTrial) -> bool:
    """True if a trial ended by itself; an interrupted one has no reason."""
    reason = trial.user_attrs.get("reason", "")
    return trial.state.name == "COMPLETE" or reason not in ("", OUT_OF_TIME)


def choose(
    ended: Sequence[optuna.trial.FrozenTrial],
    examples: int,
    *,
    metric: str = "accuracy",
    standard_error: float | None = None,
) -> tuple[optuna.trial.FrozenTrial, str]:
    """The best trial, or the plan's default where that may be as good.

    `standard_error` is the one of the metric on these examples, and None where the
    metric is the share of examples that are right.
    """
    reached = {candidate.number: candidate.value or 0.0 for candidate in ended}
    best = max(
        ended, key=lambda candidate: (reached[candidate.number], -candidate.number)
    )
    default = next((candidate for candidate in ended if _is_default(candidate)), None)
    if default is None:
        return best, f"Trial {best.number} is the best; the default did not end."
    gain = reached[best.number] - reached[default.number]
    if not gain:
        return default, "No trial is better than the plan's default."
    if standard_error is None:
        error = _error_of_share(reached[best.number], examples)
    else:
        error = standard_error
    article = "an" if metric[0] in "aeio" else "a"
    gained = (
        f"Trial {best.number} gains {gain:.4f} over the plan's default, which has"
        f" {reached[default.number]:.4f} on {examples} validation examples; the"
        f" standard error of such {article} {metric} is {error:.4f}"
    )
    if gain <= error:
        return default, f"{gained}: that may be chance, so the default stays."
    return best, f"{gained}."


def _error_of_share(share: float, examples: int) -> float:
    # One more of each outcome: all right is not certain.
    share = (share * examples + 1) / (examples + 2)
    return float(np.sqrt(share * (1 - share) / examples))


def _is_default(trial: optuna.trial.FrozenTrial) -> bool:
    return bool(trial.user_attrs.get(_DEFAULT))


def plain(finished: optuna.trial.FrozenTrial) -> Trial:
    """The trial as plain values, for the record."""
    ended = finished.state.name == "COMPLETE"
    outcome = {"COMPLETE": "complete", "PRUNED": "pruned"}.get(
        finished.state.name, "failed"
    )
    return Trial(
        number=finished.number,
        choices=dict(finished.params),
        outcome=outcome,
        reason=finished.user_attrs.get("reason", "" if ended else "interrupted"),
        accuracy=finished.value if ended else None,
        seconds=finished.duration.total_seconds() if finished.duration else None,
    )
