"""What a head reads, beside logistic regression on the last block's features.

The blocks of a backbone are read once over the training split. At each number of images
per class, some are drawn by seed, linear classifiers are fitted to their features, and
tested on the images of that split that were not drawn; its own test split is not used.
`logistic` is scikit-learn's regression on the standardized average of the last block;
`last`, `all` and `cells` are the three heads that a run compares, and `chosen` is the
one that it would take, by what it says of drawn images left out of the fit.

Command: python -m benchmarks.heads builtin:mnist_5k --size=96 --shots 5 20 --seeds=5
Cost:    about 3 minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import zoo
from pipelines.clock import Clock
from pipelines.config import RunConfig
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.planning.probe import linear_probe, score
from pipelines.stages import measure as measuring
from pipelines.stages.base import freeze_base

_HEADS = ("last", "all", "cells")
_COLUMNS = ("logistic", *_HEADS, "chosen")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", metavar="REF")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--size", type=int, default=0, help="0: the backbone's own")
    parser.add_argument("--shots", type=int, nargs="+", default=[5, 20])
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    measured = _measured(arguments.data, arguments.backbone, arguments.size)
    print(f"| images per class | {' | '.join(_COLUMNS)} |")
    print(f"| --- {'| --- ' * len(_COLUMNS)}|")
    for shots in arguments.shots:
        rows = [_compared(measured, shots, seed) for seed in range(arguments.seeds)]
        mean = np.mean(rows, axis=0)
        error = np.std(rows, axis=0, ddof=1) / np.sqrt(len(rows))
        cells = (f"{m:.4f} ± {e:.4f}" for m, e in zip(mean, error))
        print(f"| {shots} | {' | '.join(cells)} |", flush=True)


def _measured(data: str, backbone: str, size_px: int) -> measuring.Measured:
    """The features of all blocks for the first thousands of the training split."""
    keras.utils.set_random_seed(0)
    base = freeze_base(zoo.build(backbone, input_size_px=size_px or None))
    splits = load(DatasetRef.parse(data))
    config = RunConfig(data=data, backbone=backbone)
    return measuring.measure(base, splits, config, Clock())


def _compared(measured, shots: int, seed: int) -> list[float]:
    """Accuracies in the order of the columns."""
    labels, heads = measured.labels, measured.evidence.heads
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    drawn = np.concatenate(
        [shuffled[labels[shuffled] == label][:shots] for label in np.unique(labels)]
    )
    others = np.setdiff1d(shuffled, drawn)
    found, scores = [], []
    for head in heads:
        parts = [measured.train[block, head.grid] for block in head.reads]
        some = [part[drawn] for part in parts]
        scored = score(
            some, labels[drawn], groups=None, reads=head.reads, grid=head.grid
        )
        probe = linear_probe(some, labels[drawn], scored)
        rest = np.concatenate([part[others] for part in parts], axis=1)
        logits = probe.scaling(rest) @ probe.kernel + probe.bias
        found.append(float((logits.argmax(axis=1) == labels[others]).mean()))
        scores.append(scored.quality)
    chosen = found[max(range(len(scores)), key=scores.__getitem__)]
    last = measured.train[heads[0].reads[0], 1].astype(np.float32)
    scaler = StandardScaler().fit(last[drawn])
    regression = LogisticRegression(max_iter=1000)
    regression.fit(scaler.transform(last[drawn]), labels[drawn])
    logistic = regression.score(scaler.transform(last[others]), labels[others])
    return [float(logistic), *found, chosen]


if __name__ == "__main__":
    main()
