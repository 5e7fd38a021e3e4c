"""The zoo: which pretrained backbones exist, and how to build them.

Listing and reading specs imports no TensorFlow; `build` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo import keras_objects
from zoo.registry import get_spec, list_backbones, register, unregister
from zoo.spec import (
    BackboneSpec,
    Boundary,
    ImageInput,
    PixelConvention,
    SeriesInput,
    SoundInput,
    TextInput,
    Tokenizer,
    WeightsFile,
)

if TYPE_CHECKING:
    from zoo.builder import Backbone, build, fit

__all__ = [
    "Backbone",
    "BackboneSpec",
    "Boundary",
    "ImageInput",
    "PixelConvention",
    "SeriesInput",
    "SoundInput",
    "TextInput",
    "Tokenizer",
    "WeightsFile",
    "build",
    "fit",
    "get_spec",
    "list_backbones",
    "register",
    "unregister",
]

keras_objects.register()


def __getattr__(name: str) -> Any:
    if name in ("Backbone", "build", "fit"):
        from zoo.backend import start_quietly

        start_quietly()
        from zoo.builder import Backbone, build, fit

        globals().update(Backbone=Backbone, build=build, fit=fit)
        return globals()[name]
    raise AttributeError(f"module 'zoo' has no attribute '{name}'")
