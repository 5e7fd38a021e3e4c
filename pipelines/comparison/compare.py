"""Finished runs side by side: measures, paired tests, settings, seconds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.comparison import paired, sharing
from pipelines.comparison.finished import FinishedRun, read
from pipelines.comparison.paired import Difference, Discordant
from pipelines.display.records import differences
from pipelines.errors import ConfigError
from pipelines.runtime.clock import Ticker

# Fields that say where a run lies and not what it is.
_PLACES = ("workdir", "overwrite")


@dataclasses.dataclass(frozen=True)
class RunMeasures:
    """A run, and its measures on the shared test examples.

    `test_examples` is the number that it was tested on, `seconds` the time of the whole
    run, and `accuracy_interval` the ends of a 95 % interval.
    """

    run: str
    backbone: str | None
    action: str | None
    seconds: float | None
    test_examples: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    balanced_accuracy: float
    log_loss: float
    calibration_error: float


@dataclasses.dataclass(frozen=True)
class Against:
    """A run against the first one: what exactly one has right, and the differences."""

    run: str
    discordant: Discordant
    differences: Mapping[str, Difference]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Runs side by side on the `examples` that are in the test split of each.

    `against` has all runs but the first. `config` has a value for each run of every
    config field that differs, and `notes` sentences on the examples.
    """

    examples: int
    runs: tuple[RunMeasures, ...]
    against: tuple[Against, ...]
    config: Mapping[str, Sequence[Any]]
    notes: tuple[str, ...]

    def values(self) -> dict[str, Any]:
        """The comparison as plain values, ready for JSON."""
        return dataclasses.asdict(self)


def compare(
    folders: Sequence[Path], *, resamples: int = paired.RESAMPLES
) -> Comparison:
    """Compares finished runs, all with the first.

    Raises:
        ConfigError: if fewer than two runs come, one comes twice, a folder holds no
            finished run with predictions, or the runs share no test example.
    """
    _require_several(folders)
    runs, notes = sharing.shared([read(folder) for folder in folders])
    codes = np.unique(runs[0].answers.labels, return_inverse=True)[1]
    answers = [run.answers for run in runs]
    away = paired.differences(
        answers,
        codes,
        resamples=resamples,
        on_progress=Ticker("resamples", resamples),
    )
    return Comparison(
        examples=len(codes),
        runs=tuple(_measured(run, codes, _tested(run)) for run in runs),
        against=tuple(
            Against(str(run.path), paired.discordant(answers[0], run.answers), row)
            for run, row in zip(runs[1:], away)
        ),
        config=_config([run.config for run in runs]),
        notes=tuple(notes),
    )


def _require_several(folders: Sequence[Path]) -> None:
    if len(folders) < 2:
        raise ConfigError(
            f"A comparison needs two runs or more, and {len(folders)} came."
        )
    places = [folder.resolve() for folder in folders]
    for place, folder in zip(places, folders):
        if places.count(place) > 1:
            raise ConfigError(f"{folder} came twice. Name each run once.")


def _tested(run: FinishedRun) -> int:
    return int(run.report.get("test", {}).get("examples", len(run.answers)))


def _measured(run: FinishedRun, codes: np.ndarray, tested: int) -> RunMeasures:
    report = run.report
    return RunMeasures(
        run=str(run.path),
        backbone=report.get("backbone", {}).get("name"),
        action=report.get("plan", {}).get("action"),
        seconds=report.get("seconds", {}).get("total"),
        test_examples=tested,
        accuracy_interval=paired.interval_of_accuracy(run.answers),
        **paired.measures(run.answers, codes),
    )


def _config(configs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The values of the fields that differ between any two runs, by dotted name."""
    every = [differences({}, config) for config in configs]
    names = {
        name: None
        for config in configs[1:]
        for name in differences(configs[0], config)
        if name not in _PLACES
    }
    return {name: [of.get(name, (None, None))[1] for of in every] for name in names}
