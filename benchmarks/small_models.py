"""Small trained classifiers of any backbone, in seconds: a head in closed form.

What comes out is what a run would export: a `TransferModel`, its calibration, and
examples that it has not seen.
"""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier

from pipelines.calibration.calibration import Calibration, calibrate
from pipelines.config import CalibrationConfig
from pipelines.data.input.batches import batches
from pipelines.data.splits import ImageArray, Inputs, Series, Split, Texts
from pipelines.planning.plan import HeadPlan
from pipelines.runtime.precision import precision as computing_in
from pipelines.stages.head import add_head
from pipelines.stages.outputs import answering
from pipelines.training.batchnorm import batchnorm_layers, reestimate
from pipelines.training.transfer_model import TransferModel
from zoo.builder import build
from zoo.graph.blocks import layers_inside

CLASS_NAMES = ("anchor", "bird", "cloud", "door")
_EACH = 30
_SERIES_STEPS = 48
_WORDS = (
    "the rope and the anchor of a ship",
    "a gull sings above the garden",
    "rain falls from a grey sky",
    "the key of the old house is lost",
)
# How much of what is between the classes is left of the logits of the closed form.
_SHARPNESS = 4.0


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The recipe of a small model.

    `trains` is `head`, `partial` (the last block), `full`, or `scratch`; blocks train
    for a few steps. `reads_all` lets the head read every block, in a grid of `grid`.
    """

    backbone: str
    weights: str | None = None
    size_px: int | None = None
    trains: str = "head"
    reads_all: bool = False
    grid: int = 1
    reestimated: bool = False
    precision: str = "float32"
    seed: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Small:
    """A classifier of four classes, and examples to prove it with."""

    model: TransferModel
    calibration: Calibration
    examples: Split


def small_model(recipe: Recipe) -> Small:
    """The classifier of a recipe."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(recipe.seed)
    with computing_in(recipe.precision):
        of_series = "series" in recipe.backbone
        base = build(
            recipe.backbone,
            weights=recipe.weights,
            input_size_px=recipe.size_px,
            input_length=_SERIES_STEPS if of_series else None,
            channels=2 if of_series else None,
        )
        names = tuple(block.name for block in base.blocks)
        plan = HeadPlan(
            reads=names if recipe.reads_all else names[-1:],
            grid=recipe.grid,
            standardized=True,
            pooling="average",
            recurrent_units=8,
            hidden_units=(),
            dropout=0.0,
            init="zeros",
        )
        model = add_head(base, classes=len(CLASS_NAMES), plan=plan)
        train, held_out = _splits(base.spec.modality, recipe.seed)
        if recipe.reestimated:
            reestimate(
                model.model,
                base.blocks,
                train,
                input_size_px=base.input_size_px,
                seed=0,
            )
        if recipe.trains != "scratch":
            _solve(model, train)
        if recipe.trains != "head":
            _train(model, train, recipe)
        return Small(model, _calibrated(model, train, held_out), held_out)


def _splits(modality: str, seed: int) -> tuple[Split, Split]:
    rng = np.random.default_rng(seed)
    labels = np.arange(2 * _EACH * len(CLASS_NAMES)) % len(CLASS_NAMES)
    inputs = {"image": _images, "text": _texts, "series": _series}[modality](
        labels, rng
    )
    half = len(labels) // 2
    whole = Split("train", inputs, labels)
    return (
        whole.take(np.arange(half)),
        dataclasses.replace(whole.take(np.arange(half, len(labels))), name="test"),
    )


def _images(labels: np.ndarray, rng: np.random.Generator) -> Inputs:
    """Digits, each in a colour of its own on another that changes from side to side."""
    digits = load_digits()
    chosen = [rng.choice(np.flatnonzero(digits.target == label)) for label in labels]
    drawn = np.kron(digits.images[chosen] / 16, np.ones((5, 6)))[..., None]
    ramp = np.linspace(0, 1, drawn.shape[2])[None, None, :, None]
    ink, paper = rng.uniform(0, 255, (2, len(labels), 1, 1, 3))
    pixels = drawn * ink + (1 - drawn) * paper * ramp
    noisy = pixels + rng.normal(0, 6, pixels.shape)
    return ImageArray(np.clip(noisy, 0, 255).astype(np.uint8))


def _texts(labels: np.ndarray, rng: np.random.Generator) -> Inputs:
    values = np.empty(len(labels), object)
    values[:] = [f"{_WORDS[label]} {rng.integers(1000)}".encode() for label in labels]
    return Texts(values)


def _series(labels: np.ndarray, rng: np.random.Generator) -> Inputs:
    time = np.arange(_SERIES_STEPS)[None, :, None]
    waves = np.sin(time * (0.2 + 0.2 * labels)[:, None, None] + [0.0, 1.0])
    return Series((waves + rng.normal(0, 0.3, waves.shape)).astype(np.float32))


def _read(model: TransferModel, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Logits and features, float32."""
    size = model.backbone.input_size_px
    network = answering(model)
    results = [
        network(inputs, training=False)
        for inputs, _ in batches(split, input_size_px=size, batch_size=64)
    ]
    logits, features = (
        np.concatenate([np.asarray(keras.ops.cast(x, "float32")) for x in column])
        for column in zip(*results)
    )
    return logits, features


def _solve(model: TransferModel, train: Split) -> None:
    _, features = _read(model, train)
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.maximum(scale, 1e-3 * max(float(scale.max()), 1e-6))
    ridge = RidgeClassifier(alpha=features.shape[1] / 10)
    ridge.fit((features - mean) / scale, train.labels)
    standardize, *_, logits = model.head_layers
    standardize.set_weights([mean, scale])
    logits.set_weights([_SHARPNESS * ridge.coef_.T, _SHARPNESS * ridge.intercept_])


def _train(model: TransferModel, train: Split, recipe: Recipe) -> None:
    """A few steps, of all blocks or of the last one."""
    trained = model.backbone.blocks
    for block in trained[:-1] if recipe.trains == "partial" else []:
        for layer in block.layers:
            layer.trainable = False
    if recipe.reestimated:
        for block in trained:
            for layer in batchnorm_layers(block):
                layer.trainable = False
    model.model.compile(
        keras.optimizers.Adam(1e-4 if recipe.weights else 1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    size = model.backbone.input_size_px
    read = batches(train, input_size_px=size, batch_size=40)
    model.model.fit(read, epochs=1, verbose=0)
    for layer in layers_inside(model.model):
        layer.trainable = False


def _calibrated(model: TransferModel, train: Split, held_out: Split) -> Calibration:
    logits, features = _read(model, held_out)
    _, seen = _read(model, train)
    return calibrate(
        logits,
        held_out.labels,
        features,
        seen,
        train.labels,
        calibration=CalibrationConfig(),
    )
