"""Stage 1: obtain a pretrained model that takes what the data hold."""

from __future__ import annotations

import dataclasses
import logging

import zoo
from pipelines.config import RANDOM_WEIGHTS, RunConfig
from pipelines.data.readers.arrays import as_pixels
from pipelines.data.splits import ImageArray, Inputs, Series, Sounds, Table
from pipelines.display.text import PLURALS
from pipelines.errors import ConfigError
from zoo import published
from zoo.builder import Backbone
from zoo.registry import DEFAULTS
from zoo.spec import BackboneSpec

_logger = logging.getLogger("zootune")


def with_backbone(config: RunConfig, inputs: Inputs) -> RunConfig:
    """The config with a name of a backbone: the modality's default if it has none."""
    if config.backbone:
        return config
    return dataclasses.replace(config, backbone=DEFAULTS[inputs.modality])


def obtain(config: RunConfig, inputs: Inputs) -> Backbone:
    """The backbone with its weights.

    Random ones only where the config asks for them, or where nobody published any:
    then that is said, here and by `weights` of the backbone, which goes on record. One
    that is fitted to training data has none yet: see `fit_base`.
    Series are taken at the length and with the channels that the data have, tables
    with their columns, and sounds at the length and the rate that were chosen for them.

    Raises:
        ConfigError: if it takes another modality than the data are of.
        zoo.errors.BackboneError: if it is unknown, its weights are missing or corrupt,
            or it cannot take input of this size.
    """
    config = with_backbone(config, inputs)
    if not config.handle:  # what a handle names is known when it is opened
        _require_modality(zoo.get_spec(config.backbone), inputs, config.data)
    random = config.weights == RANDOM_WEIGHTS or config.strategy == "scratch"
    if not random and _has_none(config):
        random = True
        _logger.warning(
            "Nobody has published weights for %s, so it starts from random ones.",
            config.backbone,
        )
    length, channels, rate_hz = _sizes(inputs)
    if _is_published_here(config):  # its bands are those of its own rate
        rate_hz = None
    backbone = zoo.build(
        config.backbone,
        handle=config.handle or None,
        weights=None if random else config.weights,
        input_size_px=config.input_size_px or None,
        input_length=config.input_length or length,
        channels=channels,
        columns=inputs.columns if isinstance(inputs, Table) else None,
        rate_hz=rate_hz,
    )
    _require_modality(backbone.spec, inputs, config.data)
    return backbone


def _sizes(inputs: Inputs) -> tuple[int | None, int | None, int | None]:
    """Length, channels and rate that the data have, where their modality has these."""
    match inputs:
        case Series(values):
            return values.shape[1], values.shape[2], None
        case Sounds():
            return inputs.length_ms, None, inputs.rate_hz
    return None, None, None


def _has_none(config: RunConfig) -> bool:
    """True if the config asks for published weights, and nobody has published any."""
    if config.handle or config.weights != "default":
        return False
    spec = zoo.get_spec(config.backbone)
    return not spec.pretrained and not spec.fitted


def _is_published_here(config: RunConfig) -> bool:
    """True for a row that the user published from a run."""
    return not config.handle and published.find(config.backbone) is not None


def _require_modality(spec: BackboneSpec, inputs: Inputs, reference: str) -> None:
    if spec.modality != inputs.modality:
        fitting = zoo.list_backbones(modality=inputs.modality)
        raise ConfigError(
            f"The backbone '{spec.name}' takes {PLURALS[spec.modality]}, but"
            f" {reference} holds {PLURALS[inputs.modality]}. Backbones for those:"
            f" {', '.join(fitting[:8])}.{_other_reading(spec, inputs)}"
        )


def _other_reading(spec: BackboneSpec, inputs: Inputs) -> str:
    """Advice to read an array as images, not as series, or the other way."""
    if spec.modality == "image" and isinstance(inputs, Series):
        if inputs.values.shape[2] == 1:
            return " If each row of x is an image, save x.reshape(n, h, w) as uint8."
        return f" If x is images [n, h, w], save {as_pixels(inputs.values)}."
    if spec.modality == "series" and isinstance(inputs, ImageArray):
        return " If x is series, save x.astype('float32')."
    return ""
