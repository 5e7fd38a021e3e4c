"""Is a run worse than a published model? On the test examples that both can answer."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from pipelines.comparison import finished, paired, sharing
from pipelines.comparison.finished import Answers, FinishedRun
from pipelines.comparison.non_inferiority import NonInferiority, non_inferior
from pipelines.errors import ArtifactError, ConfigError
from pipelines.report.predictions import PredictionRow
from pipelines.serving import artifact
from pipelines.serving.artifact import Artifact

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True, eq=False)
class Reference:
    """A finished run, or an artifact, that a model must not be worse than."""

    path: Path
    run: FinishedRun | None = None
    artifact: Artifact | None = None


def opened(path: Path) -> Reference:
    """The run or artifact in a folder, with its files read.

    Raises:
        ConfigError: if it holds neither, or one that cannot be compared.
    """
    if (path / "report.json").is_file():
        return Reference(path, run=finished.read(path))
    if not path.is_dir():
        raise ConfigError(
            f"config.export.not_worse_than is {path}, which is not a folder. Name a"
            " finished run or an artifact; leave it out for the first model."
        )
    try:
        opened_artifact = artifact.open_verified(path)
    except ArtifactError as error:
        raise ConfigError(
            f"config.export.not_worse_than is {path}, which cannot be compared with:"
            f" {error} Name a finished run or an artifact; leave it out for the first"
            " model."
        ) from error
    return Reference(path, artifact=opened_artifact)


def require_comparable(
    reference: Reference, *, problem: str, class_names: Sequence[str]
) -> None:
    """Refuses a reference that answers something else than a run.

    Raises:
        ConfigError: for another kind of problem, or other classes.
    """
    if not finished.is_compared(problem):
        raise ConfigError(
            f"config.export.not_worse_than compares answers of one class each, and the"
            f" problem is {problem}. Use config.export.minimum, with a bound on its own"
            " measures."
        )
    theirs = _class_names(reference)
    if theirs is not None and set(theirs) != set(class_names):
        raise ConfigError(
            f"config.export.not_worse_than is {reference.path}, whose classes are"
            f" {_short(theirs)}, and this model has {_short(class_names)}. Answers are"
            " compared where both know the same classes: name another run or"
            " artifact, or use config.export.minimum."
        )


def compare(
    ours: FinishedRun, reference: Reference, *, data: str, margin: float
) -> NonInferiority:
    """The paired test of a run against the reference, on shared test examples.

    An artifact is asked about the test split of `data`, a dataset reference.

    Raises:
        ConfigError: if they share no example.
    """
    theirs = reference.run or _asked(ours, reference, data)
    (first, second), notes = sharing.shared([theirs, ours])
    for note in notes:
        _logger.info("  %s", note)
    counts = paired.discordant(first.answers, second.answers)
    return non_inferior(counts, len(second.answers), margin=margin)


def run_of(
    path: Path, report: dict[str, Any], rows: Iterable[PredictionRow]
) -> FinishedRun:
    """A run that is not written yet, with its predictions."""
    return FinishedRun(path, {}, report, finished.answers_of(rows))


def _asked(ours: FinishedRun, reference: Reference, data: str) -> FinishedRun:
    """The answers of an artifact for the test split of the data of a run."""
    from pipelines.serving.predictor import Predictor
    from pipelines.stages.evaluate import evaluate_artifact

    answers: list[Answers] = []
    evaluate_artifact(
        Predictor(cast(Artifact, reference.artifact)),
        data,
        split="test",
        consume=lambda rows: answers.append(finished.answers_of(rows)),
    )
    return FinishedRun(reference.path, {}, ours.report, answers[0])


def _class_names(reference: Reference) -> Sequence[str] | None:
    if reference.artifact is not None:
        return reference.artifact.manifest.class_names
    run = reference.run
    return None if run is None else run.report.get("class_names")


def _short(names: Sequence[str]) -> str:
    text = ", ".join(names)
    return text if len(text) <= 200 else f"{text[:200]}..."
