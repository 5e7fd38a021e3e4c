"""Labels chosen by `zoo suggest` against labels drawn at random, by accuracy.

Five labels of each class, then three rounds of twenty more. After each round a linear
head is solved in closed form on the pooled last three blocks of a frozen
EfficientNet-Lite0, and tested on what is not in the pool. Both ways start from the same
labels in each seed.

Command: python -m benchmarks.suggest DATA... [--seeds 5] [--rounds 3] [--count 20]
Cost:    three CPU minutes for two data sets of 2,000 and 5,000 images.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from scipy.special import softmax

import zoo
from benchmarks.spread import spread
from pipelines.data.input.batches import batches
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Split
from pipelines.features.block_vectors import vectors_of
from pipelines.features.extract import Reader
from pipelines.probing import probe
from pipelines.probing.probe import Probe
from pipelines.suggestions.select import choose

_PER_CLASS, _BLOCKS, _SIZE_PX = 5, 3, 64

Parts = list[np.ndarray]
# From a labelled head, the rows with labels and the rest to the rows to label.
Way = Callable[[Probe, np.ndarray, np.ndarray], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+", help="references, such as dir:photos")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=20)
    arguments = parser.parse_args()
    for reference in arguments.data:
        _measure(reference, arguments)


def _measure(reference: str, arguments: argparse.Namespace) -> None:
    splits = load(DatasetRef.parse(reference))
    reader = _reader()
    pool, held_out = (
        [_features(reader, split) for split in some]
        for some in ((splits.train,), (splits.validation, splits.test))
    )
    test = [np.concatenate(parts) for parts in zip(*held_out)]
    truth = np.concatenate([splits.validation.labels, splits.test.labels])
    rows = {
        name: np.array(
            [
                _run(pool[0], splits.train.labels, test, truth, way, seed, arguments)
                for seed in range(arguments.seeds)
            ]
        )
        for name, way in (("random", _at_random), ("suggested", _suggested))
    }
    print(f"\n{reference}: pool {len(splits.train)}, test {len(truth)}")
    for name, accuracies in rows.items():
        print(f"{name:10}", *(spread(column, digits=3) for column in accuracies.T))
    gains = rows["suggested"] - rows["random"]
    print(f"{'gain':10}", *(spread(column, digits=3) for column in gains.T))
    print("mean gain ", *(f"{gain:+.4f}" for gain in gains.mean(axis=0)))


def _reader() -> Reader:
    base = zoo.build("efficientnet_lite0", input_size_px=_SIZE_PX)
    outputs = vectors_of(base)
    last = [key for key in outputs if key[1] == 1][-_BLOCKS:]
    return Reader(keras.Model(base.model.input, [outputs[key] for key in last]))


def _features(reader: Reader, split: Split) -> Parts:
    read = batches(split, input_size_px=_SIZE_PX, batch_size=64)
    return list(reader.extract(read, dtype=np.float32))


def _run(
    pool: Parts,
    labels: np.ndarray,
    test: Parts,
    truth: np.ndarray,
    way: Callable[[Parts, int, int], Way],
    seed: int,
    arguments: argparse.Namespace,
) -> list[float]:
    """The accuracy at the start, and after each round."""
    draw = np.random.default_rng(seed)
    known = np.concatenate(
        [
            draw.choice(np.flatnonzero(labels == k), _PER_CLASS, replace=False)
            for k in range(labels.max() + 1)
        ]
    )
    choose_rows, accuracies = way(pool, arguments.count, seed), []
    for left in range(arguments.rounds, -1, -1):
        head = _solved([part[known] for part in pool], labels[known])
        right = head.logits(test).argmax(axis=1) == truth
        accuracies.append(float(right.mean()))
        if left:
            rest = np.setdiff1d(np.arange(len(labels)), known)
            known = np.concatenate([known, choose_rows(head, known, rest)])
    return accuracies


def _solved(parts: Parts, labels: np.ndarray) -> Probe:
    reads = tuple(str(number) for number in range(len(parts)))
    scored = probe.score(parts, labels, groups=None, reads=reads, grid=1)
    return probe.linear_probe(parts, labels, scored)


def _at_random(pool: Parts, count: int, seed: int) -> Way:
    draw = np.random.default_rng(1000 + seed)
    return lambda head, known, rest: draw.choice(rest, count, replace=False)


def _suggested(pool: Parts, count: int, seed: int) -> Way:
    features = np.concatenate(pool, axis=1)

    def rows(head: Probe, known: np.ndarray, rest: np.ndarray) -> np.ndarray:
        answers = softmax(head.logits([part[rest] for part in pool]), axis=1)
        chosen = choose(features[rest], answers, features[known], count=count)
        return rest[chosen.rows]

    return rows


if __name__ == "__main__":
    main()
