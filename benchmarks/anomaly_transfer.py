"""A detector of one set of series, taken over by another, beside new detectors.

The first class of each small public set is normal in turn: the source is a run with the
convolutional autoencoder on one set, and the target has a few normal examples of
another. Nothing is said of the anomalies, which are the other classes of the target.

* the ways of `config.anomaly.transfer`, the autoencoder trained anew, and `pca`: the
  area under the curve on test.
* chosen: the choice of `auto` with the source, by injected anomalies alone, and its
  area. It must not lose to `pca` or to training anew by more than a standard error
  where it takes a way.

Data are those of `benchmarks.series_data`, in the folder `series` of `--data`.

Command: python -m benchmarks.anomaly_transfer --data=FOLDER [--normal=30]
         [--sources GunPoint ...]
Cost:    about 5 CPU minutes.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

import pipelines
from benchmarks.anomaly import SERIES
from pipelines.config import AnomalyConfig, RunConfig
from pipelines.data.reference import DatasetRef
from pipelines.planning.detectors import WAYS, autoencoder_name
from pipelines.planning.plan import HeadPlan
from pipelines.runs.prepare import Prepared, prepare
from pipelines.runtime.clock import Clock
from pipelines.stages.calibrate import calibrate_model
from pipelines.stages.evaluate import evaluate_calibrated
from pipelines.stages.head import add_head

_METHOD = autoencoder_name("convolutional", "denoising")


def written(folder: Path, name: str, to: Path, *, most: int) -> str:
    """The first class of a set as normal examples, and all others; its reference."""
    with np.load(folder / "series" / f"{name}.npz") as arrays:
        x, y = arrays["x"], arrays["y"]
    normal = y == np.unique(y)[0]
    rng = np.random.default_rng(0)
    rows = rng.permutation(np.flatnonzero(normal))[:most]
    rows = np.concatenate([rows, np.flatnonzero(~normal)])
    path = to / f"{name}_{most}.npz"
    np.savez(path, x=x[rows], y=np.where(normal[rows], "normal", "other"))
    return f"npz:{path}?validation=0.2&test=0.2&seed=0"


def source(folder: Path, name: str, scratch: Path) -> Path:
    """The run folder of the detector of a set."""
    to = scratch / name
    pipelines.fine_tune(
        written(folder, name, scratch, most=1000),
        problem="anomaly",
        workdir=to,
        anomaly=AnomalyConfig(method="autoencoder"),
    )
    return to


def area(prepared: Prepared, config: RunConfig, head: HeadPlan) -> float:
    """The area under the curve of a detector on test."""
    probe = prepared.measured.probe(head)
    model = add_head(prepared.base, **prepared.head_of(head, probe))
    calibrated = calibrate_model(
        model,
        prepared.splits,
        prepared.problem.calibration_config(config),
        batch_size=32,
        known=prepared.measured.known,
    )
    reached = evaluate_calibrated(calibrated, prepared.problem).test.auroc
    return np.nan if reached is None else reached


def row(reference: str, place: Path, scratch: Path) -> str:
    """A line of the table: the areas of all candidates on a target."""
    config = RunConfig(data=reference, problem="anomaly", workdir=str(scratch / "t"))
    config.anomaly.transfer = str(place)
    prepared = prepare(config, DatasetRef.parse(reference), Clock())
    own = prepared.plan.head
    heads = [
        *(dataclasses.replace(own, detector=_METHOD, transfer=way) for way in WAYS),
        dataclasses.replace(own, detector=_METHOD, transfer=""),
        dataclasses.replace(own, detector="pca", transfer=""),
    ]
    areas = [area(prepared, config, head) for head in heads]
    chosen = own.transfer or own.detector
    cells = [f"{value:.3f}" for value in (*areas, area(prepared, config, own))]
    return f"{' | '.join(cells)}, {chosen}"


def main() -> None:
    """Prints a table: a line for each pair of source and target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--normal", type=int, default=30, help="of the target")
    parser.add_argument("--sources", nargs="+", choices=SERIES, default=SERIES)
    arguments = parser.parse_args()
    started = time.process_time()
    names = (*WAYS, "anew", "pca", "chosen")
    print(f"| source to target | {' | '.join(names)} |")
    print(f"| --- |{' ---: |' * len(names)}")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for name in arguments.sources:
            place = source(arguments.data, name, scratch)
            for other in SERIES:
                if other == name:
                    continue
                reference = written(
                    arguments.data, other, scratch, most=arguments.normal
                )
                cells = row(reference, place, scratch)
                print(f"| {name} to {other} | {cells} |", flush=True)
    print(f"{time.process_time() - started:.0f} CPU seconds")


if __name__ == "__main__":
    main()
