"""Heads that learn from unlabelled examples, with and without their guard, by accuracy.

A few labelled examples of each class, 1,000 others without labels, and 500 more as the
test, of the same reference; and two peers on which labels do not spread: the classes
are the halves of one main direction of the features (`halves`), or the examples without
labels are of the next reference (`other pool`). Features are averages over all blocks
of a frozen EfficientNet-Lite0.

Command: python -m benchmarks.unlabelled DATA... [--seeds 3]
Cost:    twenty CPU minutes for four references.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from benchmarks.spread import spread
from pipelines.data.domains.unlabelled import read_all
from pipelines.data.reference import DatasetRef
from pipelines.methods.few_shot.features import FeatureSource, Source
from pipelines.methods.unlabelled.choice import (
    Partly,
    choose,
    helped_head,
    plain_head,
)
from pipelines.probing.directions import main_directions
from pipelines.runtime.blas import one_thread

_PER_CLASS = (5, 10, 20)
_MOST, _TEST, _POOL, _SIZE_PX = 2000, 500, 1000, 128
# A direction that few neighbours share, and that a plane parts.
_DIRECTION = 25


@dataclasses.dataclass(frozen=True, eq=False)
class _Data:
    """Features `[n, width]`, their labels, and those of the pool if it is another."""

    name: str
    features: np.ndarray
    labels: np.ndarray
    pool: np.ndarray | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+", help="references, such as dir:photos")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    print("data, per class: labelled alone; always; with the guard; accepted")
    with one_thread():
        for data in _all(arguments.data):
            for per_class in _PER_CLASS:
                rows = [
                    _measured(data, per_class, seed) for seed in range(arguments.seeds)
                ]
                alone, always, guarded, accepted = np.array(rows, float).T
                print(
                    f"{data.name:40} {per_class:3}",
                    *(spread(column, digits=3) for column in (alone, always, guarded)),
                    f"{int(accepted.sum())} of {len(accepted)}",
                    flush=True,
                )


def _all(references: list[str]) -> Iterator[_Data]:
    read = [_read(reference) for reference in references]
    yield from read
    for data in read:
        along = main_directions(data.features, seed=0)[:, _DIRECTION]
        labels = (along > np.median(along)).astype(np.int64)
        yield _Data(f"{data.name}, halves", data.features, labels)
    for data, other in zip(read, read[1:] + read[:1]):
        yield _Data(
            f"{data.name}, other pool", data.features, data.labels, other.features
        )


def _read(reference: str) -> _Data:
    examples, _ = read_all(DatasetRef.parse(reference))
    rows = np.random.default_rng(0).permutation(len(examples))[:_MOST]
    examples = examples.take(np.sort(rows))
    source = FeatureSource(Source(input_size_px=_SIZE_PX, reads="all"), examples.inputs)
    return _Data(reference, source.read(examples.inputs), examples.labels)


def _measured(data: _Data, per_class: int, seed: int) -> tuple[float, ...]:
    """Test accuracy of labelled alone, always, with the guard; and if it accepted."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(data.labels))
    test, rest = order[:_TEST], order[_TEST:]
    classes = int(data.labels.max()) + 1
    own = np.concatenate(
        [rest[data.labels[rest] == label][:per_class] for label in range(classes)]
    )
    if data.pool is None:
        pool = data.features[rng.permutation(np.setdiff1d(rest, own))[:_POOL]]
    else:
        pool = data.pool[rng.permutation(len(data.pool))[:_POOL]]
    partly = Partly(
        data.features[own],
        data.labels[own],
        np.arange(len(own)),
        pool,
        classes,
        seed,
    )
    choice = choose(partly)
    alone, always = (
        (head.logits([data.features[test]]).argmax(axis=1) == data.labels[test]).mean()
        for head in (plain_head(partly), helped_head(partly))
    )
    accepted = choice.head is not None
    return alone, always, always if accepted else alone, accepted


if __name__ == "__main__":
    main()
