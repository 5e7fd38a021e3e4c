"""The value of calibration: numbers on test digits that chose nothing.

EfficientNet-Lite0 with its ImageNet weights and a new head, 3,500 MNIST digits for
training, 750 for calibration and 750 for the numbers, for each of several seeds (of the
split and of training). Then the artifact answers for pictures that are not digits:
uniform noise, single colours, pieces of two photographs of scikit-learn, and the digits
themselves in negative.

Command: python benchmarks/calibration.py --seeds=3
Cost:    3 to 8 minutes per seed on two busy CPU cores.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

import pipelines
from pipelines.data.input.batches import batches
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import ImageArray
from pipelines.runs.result import Run
from pipelines.serving.predictor import Predictor

_STRANGERS = 300
_CALIBRATION = (
    "| seed | method | temperature | ECE before | ECE after | log loss before |"
    " log loss after | accuracy | accepted | accuracy of accepted |"
)
_SETS = "| seed | level | threshold alone | as served | classes in a set |"
_ACCEPTED = "| seed | test digits | noise | colours | photographs | negatives |"


def pictures(rng: np.random.Generator, digits: np.ndarray) -> dict[str, np.ndarray]:
    """Pictures that are not digits, by kind, uint8 `[n, side, side, 3]` each."""
    side = digits.shape[1]
    photos = load_sample_images().images
    crops = []
    for i in range(_STRANGERS):
        photo = photos[i % len(photos)]
        y, x = (rng.integers(0, limit - 200) for limit in photo.shape[:2])
        crops.append(photo[y : y + 200, x : x + 200])
    colours = rng.integers(0, 256, (_STRANGERS, 1, 1, 3))
    return {
        "noise": rng.integers(0, 256, (_STRANGERS, side, side, 3)).astype("uint8"),
        "colours": np.tile(colours, (1, side, side, 1)).astype("uint8"),
        "photographs": np.stack(crops),
        "negatives": 255 - digits[:_STRANGERS],
    }


def encoded(images: np.ndarray) -> Sequence[bytes]:
    def png(image: np.ndarray) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        return stream.getvalue()

    return [png(image) for image in images]


def accepted_share(predictor: Predictor, images: np.ndarray) -> float:
    predictions = predictor.predict(encoded(images))
    scores = [
        answer.ood_score for answer in predictions if hasattr(answer, "ood_score")
    ]
    return float(np.mean([score <= 1 for score in scores]))


def calibration_row(report: Mapping[str, Any]) -> str:
    calibration, test = report["calibration"], report["calibration"]["test"]
    before, after = test["before"], test["after"]
    numbers = (
        calibration["temperature"],
        before["calibration_error"],
        after["calibration_error"],
        before["log_loss"],
        after["log_loss"],
        after["accuracy"],
        test["accepted"],
        test["accuracy_of_accepted"],
    )
    cells = (f"{number:.4f}" for number in numbers)
    return " | ".join([calibration["method"], *cells])


def set_rows(run: Run, predictor: Predictor, reference: str) -> list[str]:
    """The coverage of sets on test, by their threshold alone and with the label."""
    test = load(DatasetRef.parse(reference)).test
    size = predictor.artifact.manifest.preprocessing["input_size_px"]
    pixels = batches(test, input_size_px=size, batch_size=50)
    probabilities = np.concatenate(
        [predictor.probabilities(images.numpy()) for images, _ in pixels]
    )
    of_truth = probabilities[np.arange(len(test)), test.labels]
    report = run.report["calibration"]
    sets, served_sets = report["prediction_sets"], report["test"]["prediction_sets"]
    return [
        f"{level['level']} | {(of_truth >= level['threshold']).mean():.4f} |"
        f" {served['coverage']:.4f} | {served['mean_size']:.2f}"
        for level, served in zip(sets, served_sets)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--size", type=int, default=64)
    arguments = parser.parse_args()
    tables: dict[str, list[str]] = {_CALIBRATION: [], _SETS: [], _ACCEPTED: []}
    for seed in range(arguments.seeds):
        reference = f"builtin:mnist_5k?seed={seed}"
        with tempfile.TemporaryDirectory() as workdir:
            run = pipelines.fine_tune(
                reference,
                workdir=workdir,
                seed=seed,
                input_size_px=arguments.size,
                strategy="head_only",
            )
            predictor = pipelines.load(run.artifact_dir)
            tables[_CALIBRATION].append(f"{seed} | {calibration_row(run.report)}")
            rows = set_rows(run, predictor, reference)
            tables[_SETS] += [f"{seed} | {row}" for row in rows]
            test = load(DatasetRef.parse(reference)).test
            digits = cast(ImageArray, test.inputs).pixels
            strange = pictures(np.random.default_rng(seed), digits)
            shares = [run.report["calibration"]["test"]["in_distribution"]] + [
                accepted_share(predictor, images) for images in strange.values()
            ]
            cells = " | ".join(f"{share:.1%}" for share in shares)
            tables[_ACCEPTED].append(f"{seed} | {cells}")
    for header, rows in tables.items():
        print(f"\n{header}\n|{' --- |' * (header.count('|') - 1)}")
        print("\n".join(f"| {row} |" for row in rows))


if __name__ == "__main__":
    main()
