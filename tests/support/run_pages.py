"""Files of runs for their page: any number of classes, with pictures of examples."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from pipelines.calibration.curves import coverage_curve, reliability_curve
from pipelines.report.gallery_files import Example, Gallery
from pipelines.report.predictions import PredictionRow
from pipelines.report.run_files import RunFiles
from tests.support.pictures import encode, photo


def run_of(
    files: RunFiles,
    names: Sequence[str],
    *,
    examples: int,
    accuracy: float = 0.9,
    pictures: bool = True,
) -> RunFiles:
    """The same run with other classes, and with predictions drawn for its examples."""
    rng = np.random.default_rng(0)
    labels = np.arange(examples) % len(names)
    shift = (rng.random(examples) > accuracy) * rng.integers(1, 4, examples)
    predicted = (labels + shift) % len(names)
    confidence = np.round(rng.beta(8, 1, examples), 6)
    report = copy.deepcopy(dict(files.report))
    is_right = predicted == labels
    triples, counts = np.unique(
        np.stack([labels, predicted]), axis=1, return_counts=True
    )
    pairs = [(int(i), int(j), int(n)) for i, j, n in zip(*triples, counts)]
    recall = np.bincount(labels, is_right, len(names)) / np.maximum(
        np.bincount(labels, minlength=len(names)), 1
    )
    per_class = {
        name: {
            **dict.fromkeys(("precision", "recall", "f1"), float(recall[k])),
            "examples": int((labels == k).sum()),
        }
        for k, name in enumerate(names)
    }
    for split in ("test", "validation"):
        report[split] |= {
            "examples": examples,
            "accuracy": float(is_right.mean()),
            "confusion": pairs,
            "confusion_form": "pairs",
            "per_class": per_class,
        }
        report["calibration"][split]["curves"] = {
            "before": reliability_curve(confidence**0.5, is_right),
            "after": reliability_curve(confidence, is_right),
            "coverage": coverage_curve(confidence, is_right),
        }
    report["class_names"] = list(names)
    report["data"]["counts"] = {
        split: {name: 10 + k % 7 for k, name in enumerate(names)}
        for split in ("train", "validation", "test")
    }
    rows = [
        PredictionRow(
            split,
            f"photos/{names[labels[k]][:20]}/{k:05}.jpg",
            names[labels[k]],
            names[predicted[k]],
            float(confidence[k]),
            bool(confidence[k] > 0.5),
            0.5,
            {names[predicted[k]]: float(confidence[k])},
        )
        for split in ("validation", "test")
        for k in range(examples)
    ]
    gallery = gallery_with(rows, pictures=pictures)
    return dataclasses.replace(files, report=report, predictions=rows, gallery=gallery)


def gallery_with(rows: Sequence[PredictionRow], *, pictures: bool = True) -> Gallery:
    """Mistakes and right answers of test, and samples of training; 200 at most."""
    numbered = list(enumerate(row for row in rows if row.split == "test"))
    wrong = [(k, row) for k, row in numbered if not row.is_right][:100]
    right = [(k, row) for k, row in numbered if row.is_right][:50]
    examples = [
        *(_example(("mistake", "pair"), k, row, pictures) for k, row in wrong[:60]),
        *(_example(("pair",), k, row, pictures) for k, row in wrong[60:]),
        *(_example(("typical",), k, row, pictures) for k, row in right),
    ]
    samples = [
        dataclasses.replace(
            _example(("sample",), k, row, pictures),
            **{"split": "train", "predicted": None, "confidence": None},
        )
        for k, row in right
    ]
    return Gallery("image", (*examples, *samples))


def _example(
    roles: tuple[str, ...], k: int, row: PredictionRow, pictures: bool
) -> Example:
    return Example(
        roles=roles,
        split="test",
        row=k,
        name=row.example,
        label=row.label,
        predicted=row.predicted,
        confidence=row.confidence,
        picture=_jpeg(k % 16) if pictures else None,
        heat=_jpeg(k % 16 + 16) if pictures else None,
        text=None,
        series=None,
        lost=not pictures,
    )


@functools.cache
def _jpeg(seed: int) -> bytes:
    return encode(photo(seed, (96, 72)), "JPEG", quality=70)
