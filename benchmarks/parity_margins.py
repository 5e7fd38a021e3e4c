"""The distance of healthy exports from a refusal, and of faulty ones from passing.

Healthy: what is allowed divided by the largest difference, over backbones, sizes, what
trains, precisions, texts and series. Faulty: the largest difference divided by what is
allowed, for one fault at a time. Either should be at least 3. Each export is made and
asked in this process, with the largest batch; the examples, the made-up ones among
them, the noise and the comparison are those of a run.

Command: python -m benchmarks.parity_margins
         python -m benchmarks.parity_margins --healthy tiny_ --no-faults
Cost:    10 to 15 minutes of one processor. Only weights that packages bring are used;
         other networks have random ones, with statistics of the data.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.planted_faults import (
    ALL,
    FAULTS,
    Subject,
    answers,
    features_of,
    margin,
    subject_of,
)
from benchmarks.small_models import CLASS_NAMES, Recipe, small_model

_LEAST_FACTOR = 3.0
_TRAINS = ("head", "partial", "full", "scratch")
_FAULTY = (
    Recipe("efficientnet_lite0", "default", 64, reads_all=True),
    Recipe("tiny_image", None, 32, trains="full", reads_all=True),
)


def recipes() -> Iterator[Recipe]:
    """Healthy configurations, the cheap ones first."""
    for size in (16, 24, 32, 48):
        for trains in _TRAINS:
            yield Recipe("tiny_image", None, size, trains)
        yield Recipe("tiny_image", None, size, reads_all=True, grid=2, reestimated=True)
    for precision in ("mixed_bfloat16", "mixed_float16"):
        yield Recipe("tiny_image", None, 32, "full", precision=precision)
    for seed in (1, 2, 3):
        yield Recipe("tiny_image", None, 32, "full", reestimated=True, seed=seed)
    for backbone in ("tiny_text", "tiny_series"):
        for trains in _TRAINS:
            yield Recipe(backbone, trains=trains)
            yield Recipe(backbone, trains=trains, reads_all=True, seed=1)
    yield Recipe("tiny_series", trains="full", reestimated=True)
    yield Recipe("series_conv", trains="full")
    yield Recipe("series_conv", trains="scratch")
    for size in (32, 48, 64):
        yield Recipe("efficientnet_lite0", "default", size)
        yield Recipe(
            "efficientnet_lite0",
            "default",
            size,
            reads_all=True,
            grid=2,
            reestimated=True,
        )
    yield Recipe("efficientnet_lite0", "default", 64, "partial", reestimated=True)
    yield Recipe("efficientnet_lite0", "default", 32, precision="mixed_bfloat16")
    yield Recipe("efficientnet_lite1", "default", 32, reads_all=True)
    yield Recipe("efficientnet_lite2", "default", 32)
    for backbone in (
        "vgg16",
        "mobilenet",
        "mobilenet_v2",
        "mobilenet_v3_small",
        "resnet50",
        "resnet50_v2",
        "densenet121",
        "efficientnet_b0",
        "convnext_tiny",
    ):
        yield Recipe(backbone, None, 32, reestimated=True)


def _subject(recipe: Recipe) -> Subject:
    small = small_model(recipe)
    with tempfile.TemporaryDirectory() as scratch:
        return subject_of(
            small.model, small.calibration, small.examples, CLASS_NAMES, Path(scratch)
        )


def _named(recipe: Recipe) -> str:
    parts = [
        f"{recipe.size_px} px" if recipe.size_px else "",
        recipe.trains,
        "all blocks" if recipe.reads_all else "",
        f"grid {recipe.grid}" if recipe.grid > 1 else "",
        "re-estimated" if recipe.reestimated else "",
        recipe.precision if recipe.precision != "float32" else "",
        f"seed {recipe.seed}" if recipe.seed else "",
    ]
    return ", ".join([recipe.backbone, *filter(None, parts)])


def _healthy(chosen: str) -> list[float]:
    factors = []
    print("| healthy export | noise of features | allowed / difference |")
    print("| --- | --- | --- |")
    for recipe in recipes():
        if chosen not in _named(recipe):
            continue
        subject = _subject(recipe)
        share = margin(subject, _asked(subject))
        factors.append(1 / share if share else math.inf)
        noise = subject.asked.yardstick.noise["features"]
        print(f"| {_named(recipe)} | {noise:.1e} | {factors[-1]:.1f} |", flush=True)
    return factors


def _asked(subject: Subject) -> dict[str, np.ndarray]:
    """Answers and features; images without the decoding, which takes longest."""
    if subject.model.backbone.spec.modality == "image":
        return {**answers(subject), **features_of(subject)}
    return answers(subject, signatures=ALL)


def _faulty() -> list[float]:
    factors = []
    print("| fault | in | difference / allowed |\n| --- | --- | --- |")
    for recipe in _FAULTY:
        subject = _subject(recipe)
        for name, plant in FAULTS.items():
            factors.append(margin(subject, plant(subject)))
            factor = "certain" if math.isinf(factors[-1]) else f"{factors[-1]:.0f}"
            print(f"| {name} | {recipe.backbone} | {factor} |", flush=True)
    return factors


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--healthy", default="", help="exports with this in their names"
    )
    parser.add_argument("--no-healthy", action="store_true")
    parser.add_argument("--no-faults", action="store_true")
    chosen = parser.parse_args()
    began = time.process_time()
    healthy = [] if chosen.no_healthy else _healthy(chosen.healthy)
    faulty = [] if chosen.no_faults else _faulty()
    for name, factors in (("healthy exports", healthy), ("faults", faulty)):
        if factors:
            print(
                f"\n{len(factors)} {name}, the smallest factor {min(factors):.1f};"
                f" {sum(factor < _LEAST_FACTOR for factor in factors)} below"
                f" {_LEAST_FACTOR:g}."
            )
    print(f"{time.process_time() - began:.0f} s of a processor.")
    return int(min([*healthy, *faulty], default=math.inf) < _LEAST_FACTOR)


if __name__ == "__main__":
    sys.exit(main())
