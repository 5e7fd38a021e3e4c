"""A run up to its calibrated model, without the export."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from pipelines.config import RunConfig
from pipelines.data.splits import Splits
from pipelines.runs.job import RunJob, open_run
from pipelines.stages.calibrate import Calibrated, calibrate_model
from pipelines.stages.finetune import FitHistory, fine_tune
from pipelines.stages.head import add_head
from pipelines.training.transfer_model import TransferModel


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """The values that a run has before it is evaluated and exported.

    `splits` are those of the data. `seconds` has the time of each stage.
    """

    model: TransferModel
    history: FitHistory
    calibrated: Calibrated
    splits: Splits
    seconds: Mapping[str, float]
    history_path: Path


def train(
    config: RunConfig, *, of_splits: Callable[[Splits], Splits] = lambda splits: splits
) -> Trained:
    """Prepares and trains as `pipelines.run` does, on what `of_splits` leaves.

    The run folder stays that of an unfinished run.
    """

    def carry_out(job: RunJob) -> Trained:
        prepared = job.prepare()
        used = dataclasses.replace(prepared, splits=of_splits(prepared.splits))
        splits, plan = used.splits, used.plan
        job.begin(used)
        with job.stage("head"):
            classes, probe = len(splits.info.class_names), used.probe()
            model = add_head(used.base, classes=classes, plan=plan.head, probe=probe)
        with job.stage("finetune"):
            history = fine_tune(model, splits, plan, job.workspace())
        with job.stage("calibrate"):
            calibrated = calibrate_model(
                model,
                splits,
                job.config.calibration,
                batch_size=plan.batch_size,
                known=used.measured.known,
            )
        path = job.folder.history_path
        return Trained(
            model, history, calibrated, prepared.splits, dict(job.seconds), path
        )

    with open_run(config) as job:
        return job.retry_on_changed_files(carry_out)
