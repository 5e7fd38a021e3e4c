"""The detector `matrix_profile` beside stumpy, on the same normal and test series.

stumpy joins each test series with all normal training series, one behind the other
with a gap between, and the largest distance of a window is the score. Windows have the
same length; ours are compared with at most 1,000 normal windows, and divided by what is
usual. Tasks are those of `benchmarks.anomaly` with series of one channel.

Command: PYTHON_WITH_STUMPY -m benchmarks.matrix_profile --data=FOLDER [--sets NAME ...]
Cost:    three minutes of one core.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.anomaly import SERIES, in_turn, solved
from pipelines.data.splits import Series
from pipelines.planning.detectors import MATRIX_PROFILE
from pipelines.probing.profile import fit_profile


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--sets", nargs="*", default=SERIES)
    options = parser.parse_args()
    rows: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for name in options.sets:
        with np.load(options.data / "series" / f"{name}.npz") as arrays:
            x, y = arrays["x"], arrays["y"]
        for seed in range(options.seeds):
            for _, series, labels in in_turn(name, x, y, classes=9, seed=seed):
                rows[name].append(_compared(series, labels, seed))
        ours, theirs, seconds, others = np.mean(rows[name], axis=0)
        print(
            f"{name} ({len(rows[name])} tasks): ours {ours:.3f} in {seconds:.1f} s,"
            f" stumpy {theirs:.3f} in {others:.1f} s",
            flush=True,
        )


def _compared(x: np.ndarray, y: np.ndarray, seed: int) -> tuple[float, ...]:
    """The area under the curve of both, and seconds of both for fit and scores."""
    with tempfile.TemporaryDirectory() as scratch:
        prepared, _, report = solved(
            x, y, method=MATRIX_PROFILE, seed=seed, folder=Path(scratch)
        )
    train, test = prepared.splits.train, prepared.splits.test
    assert isinstance(train.inputs, Series)
    assert isinstance(test.inputs, Series)
    normal, asked = train.inputs.values, test.inputs.values
    started = time.monotonic()
    profile = fit_profile(normal)
    profile.by_step(asked)
    seconds = time.monotonic() - started
    started = time.monotonic()
    scores = _stumpy(normal, asked, profile.steps)
    others = time.monotonic() - started
    theirs = roc_auc_score(test.labels, scores)
    return float(report.auroc or np.nan), float(theirs), seconds, others


def _stumpy(normal: np.ndarray, asked: np.ndarray, steps: int) -> np.ndarray:
    import stumpy

    gap = np.full((1, normal.shape[2]), np.nan)
    known = np.concatenate([np.concatenate([one, gap]) for one in normal])[:, 0]
    known = known.astype(np.float64)
    scores = []
    for one in asked[:, :, 0].astype(np.float64):
        joined = stumpy.stump(one, steps, known, ignore_trivial=False)
        scores.append(float(np.max(joined[:, 0].astype(np.float64))))
    return np.array(scores)


if __name__ == "__main__":
    main()
