"""The result of a search: its trials, the chosen one, and a config file of it."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.config import RunConfig, differences
from pipelines.errors import ConfigError
from pipelines.planning.search_space import SearchSpace
from pipelines.runs import folder as run_folder
from pipelines.runs.prepare import Prepared
from pipelines.runs.trials import Trial, choose, counts, plain
from pipelines.runtime.clock import Clock

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


def result_of(
    study: optuna.Study,
    space: SearchSpace,
    folder: run_folder.RunFolder,
    prepared: Prepared,
    clock: Clock,
    time_budget_seconds: float,
) -> Search:
    """The result of the trials that have ended, written to the folder of the search.

    Raises:
        ConfigError: if no trial has ended within `time_budget_seconds`.
    """
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
    folder.write_text(BEST, config_file(config, f"{reason} {warning}", path))
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


def config_file(config: RunConfig, purpose: str, path: Path) -> str:
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
