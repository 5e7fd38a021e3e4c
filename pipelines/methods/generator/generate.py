"""From labelled images to a generator on disk, and images that it drew."""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from pipelines.data.input.batches import batches
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Splits
from pipelines.display.text import PLURALS
from pipelines.errors import ArtifactError, ConfigError, DataError
from pipelines.methods.generator.learn import Learned, draw, learn, pixels_of
from pipelines.methods.generator.settings import GeneratorSettings
from pipelines.runtime.files import require_empty
from pipelines.serving.loading import load_saved_model
from zoo.storage import durable

SMALLEST_PX, LARGEST_PX, _FACTOR = 8, 64, 4
_BATCH_SIZE, _SHEET_COLUMNS = 64, 10
_MODEL, _IMAGES, _SHEET, _ABOUT = "model/1", "images", "sheet.png", "generator.json"


@dataclasses.dataclass(frozen=True, eq=False)
class Generated:
    """A generator on disk, and what it learned from.

    `folder` has `model/1`, a SavedModel; `images`, a folder for each class, with
    `count` images in each; `sheet.png`, a row for each class; and `generator.json`.
    `losses` are means over 100 steps of judge and drawer.
    """

    folder: Path
    class_names: tuple[str, ...]
    examples: int
    count: int
    losses: tuple[tuple[float, float], ...]
    seconds: float


def generate(
    data: str,
    to: Path,
    *,
    count: int = 100,
    size_px: int = 28,
    settings: GeneratorSettings | None = None,
) -> Generated:
    """Learns to draw the training images of a reference, and draws `count` a class.

    Validation and test are never seen. Images whose channels are equal are drawn in
    grey. The SavedModel takes `noise`, float32 `[n, noise]`, and `label`, int64 `[n]`,
    and answers with `image`, uint8 `[n, size_px, size_px, channels]`; it has proved to
    draw the images that are beside it.

    Raises:
        ConfigError: if a size or a number is out of range, or the folder is not empty.
        DataError: if the data are not images with one label each.
        TrainingError: if the losses grow beyond all numbers.
        ArtifactError: if the saved network draws other images.
    """
    settings = settings or GeneratorSettings()
    _check(to, count=count, size_px=size_px, settings=settings)
    started = time.perf_counter()
    splits = load(DatasetRef.parse(data))
    names = splits.info.class_names
    pixels, labels = _pixels(splits, data, size_px=size_px)
    learned = learn(pixels, labels, classes=len(names), settings=settings)
    wanted = np.repeat(np.arange(len(names)), count)
    drawn = draw(functools.partial(pixels_of, learned), wanted, settings)
    generated = Generated(
        folder=to,
        class_names=names,
        examples=len(pixels),
        count=count,
        losses=learned.losses,
        seconds=time.perf_counter() - started,
    )
    about = {
        **values_of(generated),
        "settings": dataclasses.asdict(settings),
        "size_px": size_px,
        "data": {"reference": data, "fingerprint": splits.info.fingerprint},
    }
    to.parent.mkdir(parents=True, exist_ok=True)
    with durable.publish_folder(to) as folder:
        _save(learned, folder / _MODEL)
        _prove(folder / _MODEL, wanted, drawn, settings)
        _write_images(drawn, folder, names)
        text = json.dumps(about, indent=2) + "\n"
        (folder / _ABOUT).write_text(text, "utf-8")
    return generated


def values_of(generated: Generated) -> dict[str, Any]:
    """The facts as JSON has them."""
    values = dataclasses.asdict(generated)
    return {**values, "folder": str(generated.folder)}


def _check(to: Path, *, count: int, size_px: int, settings: GeneratorSettings) -> None:
    if not SMALLEST_PX <= size_px <= LARGEST_PX or size_px % _FACTOR:
        raise ConfigError(
            f"Images of {size_px} px cannot be drawn: it is a multiple of {_FACTOR}"
            f" from {SMALLEST_PX} to {LARGEST_PX}, as 28."
        )
    numbers: Mapping[str, int] = {
        "count": count,
        "steps": settings.steps,
        "batch_size": settings.batch_size,
    }
    for name, value in numbers.items():
        if value < 1:
            raise ConfigError(f"{name} is {value}. Pass 1 or more.")
    if not settings.learning_rate > 0:
        raise ConfigError(
            f"learning_rate is {settings.learning_rate:g}. Pass one above 0, as 2e-4."
        )
    require_empty(to)


def _pixels(
    splits: Splits, data: str, *, size_px: int
) -> tuple[np.ndarray, np.ndarray]:
    """The training images, with one channel if all are grey, and their labels."""
    train = splits.train
    if train.inputs.modality != "image":
        raise DataError(
            f"{data} holds {PLURALS[train.inputs.modality]}. A generator learns from"
            " images with one label each, such as a folder of images for each class."
        )
    read = batches(train, input_size_px=size_px, batch_size=_BATCH_SIZE)
    pixels = np.concatenate([images.numpy() for images, _ in read])
    if (pixels == pixels[..., :1]).all():
        pixels = pixels[..., :1]
    return pixels, train.labels


def _save(learned: Learned, folder: Path) -> None:
    module = tf.Module()
    module.drawer = learned.drawer
    noise = learned.drawer.input_shape[0][1]

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, noise], tf.float32, name="noise"),
            tf.TensorSpec([None], tf.int64, name="label"),
        ],
        autograph=False,
    )
    def serve(noise: tf.Tensor, label: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"image": pixels_of(learned, noise, label)}

    tf.saved_model.save(module, str(folder), signatures=serve)


def _prove(
    folder: Path, labels: np.ndarray, drawn: np.ndarray, settings: GeneratorSettings
) -> None:
    """Draws the images again with what was saved."""
    serve = load_saved_model(folder).signatures["serving_default"]

    def saved(noise: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        return serve(noise=noise, label=labels)["image"]

    again = draw(saved, labels, settings)
    # Rounding may fall to either side of a half.
    most = int(np.abs(again.astype(int) - drawn).max())
    if most > 1:
        raise ArtifactError(
            f"{folder} draws other images than the network in memory, by up to {most}"
            " of 255. Generate again; if that happens again, it is a fault of ours."
        )


def _write_images(drawn: np.ndarray, to: Path, names: tuple[str, ...]) -> None:
    by_class = drawn.reshape(len(names), -1, *drawn.shape[1:])
    for name, images in zip(names, by_class):
        folder = to / _IMAGES / name
        folder.mkdir(parents=True)
        for i, image in enumerate(images):
            _picture(image).save(folder / f"{i:05}.png")
    rows = [np.concatenate(images[:_SHEET_COLUMNS], axis=1) for images in by_class]
    _picture(np.concatenate(rows, axis=0)).save(to / _SHEET)


def _picture(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
