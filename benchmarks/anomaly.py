"""Anomalies by detectors on frozen features, each class of a set normal in turn.

Images are fashion items and emoji, one class (or category) normal and all others
anomalies, and fashion items with a patch of the same image pasted elsewhere, as a local
defect. Series are small public sets. Each is prepared, fitted, calibrated and
evaluated as `zoo train` would; nothing is exported. 60 % of the normal examples train.

* auroc: area under the curve on test, the mean over classes and seeds, by method.
* peer: local outlier factors of scikit-learn on pixels or values, without a network.
* auto: the choice by injected anomalies, with how often it took a detector.
* false alarms: promised and seen on test, the mean over 20 splits of one class, with
  the standard error of that mean.

Data are those of `benchmarks.development_data`, in `--data`, and of
`benchmarks.series_data` in its folder `series`.

Command: python -m benchmarks.anomaly --data=FOLDER [--classes=4] [--seeds=1]
         [--only=SET] [--methods dfm ...]
Cost:    about 7 CPU minutes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor

from benchmarks.problem_data import opaque
from pipelines.calibration.anomalies import calibrate_anomalies
from pipelines.config import RunConfig
from pipelines.data.reference import DatasetRef
from pipelines.planning.detectors import (
    AUTO,
    AUTOENCODER,
    BY_COST,
    MATRIX_PROFILE,
    PATCHCORE,
    WINDOWS,
)
from pipelines.probing.cells import OF_CELLS
from pipelines.probing.detector import fit_detector
from pipelines.problems.anomalies.reports import AnomalyReport
from pipelines.runs.prepare import Prepared, prepare
from pipelines.runtime.clock import Clock
from pipelines.stages.calibrate import Calibrated, calibrate_model
from pipelines.stages.evaluate import evaluate_calibrated
from pipelines.stages.head import add_head

SERIES = ("Coffee", "GunPoint", "Trace")
_SIZE_PX, _EMOJI_PX = 96, 64
# Examples of the normal class, and anomalies, of a set of images.
_NORMAL, _OTHERS = 400, 300
_SPLITS, _ALPHA = 20, 0.05
# Local outlier factors of scikit-learn, on pixels at 32 px or values of series.
PEER, _PEER_PX = "peer", 32

OF_SERIES = (WINDOWS, MATRIX_PROFILE, AUTOENCODER)
METHODS = (*BY_COST, PATCHCORE, AUTOENCODER, MATRIX_PROFILE, AUTO, PEER)

Task = tuple[str, np.ndarray, np.ndarray]


def solved(
    x: np.ndarray, y: np.ndarray, *, method: str, seed: int, folder: Path
) -> tuple[Prepared, Calibrated, AnomalyReport]:
    """A task as the product solves it, up to what would be exported."""
    path = folder / "task.npz"
    np.savez(path, x=x, y=y)
    config = RunConfig(
        data=f"npz:{path}?validation=0.2&test=0.2&seed={seed}",
        problem="anomaly",
        input_size_px=_SIZE_PX if x.ndim == 4 else 0,
        workdir=str(folder),
        seed=seed,
    )
    config.anomaly.method = method
    prepared = prepare(config, DatasetRef.parse(config.data), Clock())
    model = add_head(prepared.base, **prepared.head())
    calibrated = calibrate_model(
        model,
        prepared.splits,
        prepared.problem.calibration_config(config),
        batch_size=32,
        known=prepared.measured.known,
    )
    return prepared, calibrated, evaluate_calibrated(calibrated, prepared.problem).test


def peer(x: np.ndarray, y: np.ndarray, *, seed: int) -> float:
    """The area under the curve of local outlier factors, on as many normal ones."""
    rows = x.reshape(len(x), -1)
    if x.ndim == 4:
        side = -(-x.shape[1] // _PEER_PX)
        rows = x[:, ::side, ::side].reshape(len(x), -1)
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(y == "normal"))
    count = len(normal) * 3 // 5
    fitted = LocalOutlierFactor(min(20, count - 1), novelty=True)
    fitted.fit(rows[normal[:count]].astype(np.float64))
    held_out = np.concatenate([normal[count:], np.flatnonzero(y != "normal")])
    scores = -fitted.score_samples(rows[held_out].astype(np.float64))
    return float(roc_auc_score(y[held_out] != "normal", scores))


def in_turn(
    name: str, x: np.ndarray, y: np.ndarray, *, classes: int, seed: int
) -> Iterator[Task]:
    """Tasks in which one class is normal and the others are not."""
    rng = np.random.default_rng(seed)
    for normal in np.unique(y)[:classes]:
        own = rng.permutation(np.flatnonzero(y == normal))[:_NORMAL]
        others = rng.permutation(np.flatnonzero(y != normal))[:_OTHERS]
        rows = np.concatenate([own, others])
        yield name, x[rows], np.where(y[rows] == normal, "normal", "other")


def defects(x: np.ndarray, y: np.ndarray, *, classes: int, seed: int) -> Iterator[Task]:
    """Tasks in which anomalies are normal items with a patch pasted elsewhere."""
    rng = np.random.default_rng(seed)
    for normal in np.unique(y)[:classes]:
        own = rng.permutation(np.flatnonzero(y == normal))[: _NORMAL + _OTHERS]
        images = x[own].copy()
        side, count = images.shape[1], len(images)
        for image in images[_NORMAL:]:
            size = int(rng.integers(side // 6, side // 3))
            (top, left), (to, beside) = rng.integers(0, side - size, (2, 2))
            patch = image[top : top + size, left : left + size].copy()
            image[to : to + size, beside : beside + size] = np.rot90(patch)
        labels = np.where(np.arange(count) < _NORMAL, "normal", "defect")
        yield "local defects", images, labels


def tasks(folder: Path, *, classes: int, seed: int) -> Iterator[Task]:
    """All tasks of a seed."""
    with np.load(folder / "fashion.npz") as arrays:
        test = arrays["split"] == "test"
        fashion = np.repeat(arrays["x"][test].reshape(-1, 28, 28, 1), 3, axis=3)
        items = arrays["y"][test]
    yield from in_turn("fashion", fashion, items, classes=classes, seed=seed)
    paths = sorted((folder / "emoji_google").rglob("*.png"))
    emoji = np.stack([np.asarray(opaque(path, _EMOJI_PX)) for path in paths])
    categories = np.array([path.parent.name for path in paths])
    yield from in_turn("emoji", emoji, categories, classes=classes, seed=seed)
    yield from defects(fashion, items, classes=classes, seed=seed)
    for name in SERIES:
        with np.load(folder / "series" / f"{name}.npz") as arrays:
            yield from in_turn(name, arrays["x"], arrays["y"], classes=9, seed=seed)


def false_alarms(prepared: Prepared, calibrated: Calibrated) -> np.ndarray:
    """The seen rates over splits of all normal examples of a task."""
    head = prepared.plan.head
    train = [prepared.measured.train[name, head.grid] for name in head.reads]
    held_out = [
        of.features[of.labels == 0] for of in (calibrated.validation, calibrated.test)
    ]
    whole = np.concatenate([np.concatenate(train, axis=1), *held_out])
    ends = np.cumsum([part.shape[1] for part in train])[:-1]
    config, rates = RunConfig(), []
    config.anomaly.alpha = _ALPHA
    for seed in range(_SPLITS):
        shuffled = whole[np.random.default_rng(seed).permutation(len(whole))]
        third = len(whole) // 3
        parts = np.split(shuffled, ends, axis=1)
        detector = fit_detector([part[:third] for part in parts])
        scores = detector.scores([part[third:] for part in parts]).astype(np.float32)
        known = calibrate_anomalies(
            scores[:third, None], np.zeros(third, np.int64), anomaly=config.anomaly
        )
        new = scores[third:, None]
        rates.append(known.answer(new, new).anomalous.mean())
    return np.array(rates)


def main() -> None:
    """Prints a table of methods, and a line of promised and seen false alarms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--classes", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", metavar="SET", help="such as fashion or Trace")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    arguments = parser.parse_args()
    reached: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    chosen: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    methods, alarms = arguments.methods, None
    started = time.process_time()
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(arguments.seeds):
            for name, x, y in tasks(
                arguments.data, classes=arguments.classes, seed=seed
            ):
                if arguments.only not in (None, name):
                    continue
                for method in methods:
                    if method == PEER:
                        reached[name][method].append(peer(x, y, seed=seed))
                        continue
                    if method in (OF_CELLS if x.ndim == 3 else OF_SERIES):
                        reached[name][method].append(np.nan)
                        continue
                    prepared, calibrated, report = solved(
                        x, y, method=method, seed=seed, folder=Path(scratch)
                    )
                    area = np.nan if report.auroc is None else report.auroc
                    reached[name][method].append(area)
                    chosen[name][prepared.plan.head.detector] += method == AUTO
                if alarms is None:
                    alarms = false_alarms(prepared, calibrated)
    print(f"| auroc | {' | '.join(methods)} |\n| --- |{' ---: |' * len(methods)}")
    for name, by_method in reached.items():
        cells = (f"{np.mean(by_method[method]):.3f}" for method in methods)
        print(f"| {name} ({len(by_method[methods[0]])} tasks) | {' | '.join(cells)} |")
    if AUTO in methods:
        for name, counts in chosen.items():
            taken = (f"{method} {count}" for method, count in counts.items() if count)
            print(f"auto on {name}: {', '.join(taken)}")
    if alarms is not None:
        error = alarms.std(ddof=1) / np.sqrt(len(alarms))
        print(
            f"\nfalse alarms: {_ALPHA:g} promised, {alarms.mean():.4f} seen over"
            f" {len(alarms)} splits (standard error {error:.4f})"
        )
    print(f"{time.process_time() - started:.0f} CPU seconds")


if __name__ == "__main__":
    main()
