"""The result of a finished run, for its caller and for the record."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from pipelines.calibration.calibration import Calibration
from pipelines.formats import keras_file
from pipelines.planning.adaptation.evidence import Adaptation
from pipelines.planning.plan import TransferPlan
from pipelines.planning.views import ViewChoice
from pipelines.runs.prepare import Prepared
from pipelines.stages.calibrate import Calibrated
from pipelines.stages.distillation.record import Distillation
from pipelines.stages.evaluate import Evaluation
from pipelines.stages.finetune import FitHistory
from pipelines.stages.folds.result import FoldScores


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Run:
    """A finished run. `report` has the values of `report.json`.

    `model` gives logits; `calibration.answer` makes the answers of the artifact from
    them. On a worker that is not the chief, the folders are those of the chief.
    """

    plan: TransferPlan
    history: FitHistory
    calibration: Calibration
    report: Mapping[str, Any]
    model: keras.Model
    workdir: Path
    artifact_dir: Path

    def save(self, path: str | Path) -> None:
        """Writes `model` as a `.keras` file, from raw inputs to logits.

        `keras.models.load_model(path)` gives it back wherever `zootune` is imported.

        Raises:
            ConfigError: if the name does not end with `.keras`.
        """
        keras_file.write(self.model, Path(path))

    def __repr__(self) -> str:
        test, name = self.report["test"], self.report["headline"][0]
        return (
            f"<Run: {name.replace('_', ' ')} {test[name]:.4f} on {test['examples']}"
            f" test examples, {self.plan.action}, {self.artifact_dir}>"
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """The values of all stages, from which the report is made.

    `exported` has the path and the parity record of the artifact, None where it was not
    published, `backbone` the values that rebuild the trained backbone, `seconds` the
    time of each stage, and `folds` the scores of folds, `views` the choice of views,
    `gate` the result of the quality gate, `adaptation` the record of a target and
    `distillation` the one of a teacher, where the run has some.
    """

    prepared: Prepared
    history: FitHistory
    calibrated: Calibrated
    evaluation: Evaluation
    exported: Mapping[str, Any]
    backbone: Mapping[str, Any]
    seconds: Mapping[str, float]
    folds: FoldScores | None = None
    views: ViewChoice | None = None
    gate: Mapping[str, Any] | None = None
    adaptation: Adaptation | None = None
    distillation: Distillation | None = None
