"""Precision and recall of the list of `zoo check --labels`.

Digits with a share of their labels changed to another class at random, and features of
EfficientNet-Lite0 as the command computes them.

Command: python -m benchmarks.labels --examples=1000
Cost:    about a minute on two CPU cores.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from pipelines.audit import label_errors
from pipelines.audit.suspects import suspects_of_classes
from pipelines.data.load import read
from pipelines.data.reference import DatasetRef
from pipelines.data.splitting import keep_some


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="builtin:mnist_5k")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--share", type=float, default=0.03)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    whole = read(DatasetRef.parse(arguments.data))
    examples = keep_some(whole, limit=arguments.examples, seed=0)
    features = label_errors._features(examples, arguments.backbone, arguments.data)
    groups = np.arange(len(examples))
    print("| seed | changed | listed | precision | recall | seconds of probes |")
    print("| --- | --- | --- | --- | --- | --- |")
    for seed in range(arguments.seeds):
        changed, labels = _changed(examples.labels, arguments.share, seed)
        started = time.monotonic()
        suspects = suspects_of_classes(
            features, labels, groups, class_names=examples.class_names
        )
        seconds = time.monotonic() - started
        hits = sum(suspect.example in changed for suspect in suspects)
        print(
            f"| {seed} | {len(changed)} | {len(suspects)}"
            f" | {hits / len(suspects):.2f} | {hits / len(changed):.2f}"
            f" | {seconds:.1f} |",
            flush=True,
        )


def _changed(
    labels: np.ndarray, share: float, seed: int
) -> tuple[set[int], np.ndarray]:
    rng = np.random.default_rng(seed)
    which = rng.choice(len(labels), int(share * len(labels)), replace=False)
    classes, wrong = labels.max() + 1, labels.copy()
    wrong[which] = (wrong[which] + rng.integers(1, classes, len(which))) % classes
    return set(map(int, which)), wrong


if __name__ == "__main__":
    main()
