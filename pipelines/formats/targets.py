"""The formats that a run can be exported to, as plain data."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Sequence

from pipelines.errors import ConfigError

SAVED_MODEL = "savedmodel"
ASSETS = "assets.extra"


@dataclasses.dataclass(frozen=True)
class Target:
    """A file to be made of a SavedModel.

    `file` is relative to the folder of extra assets, which no server reads. `modules`,
    and the distributions that have them, come with the extra `extra`. A format that
    `keeps_float32` must give the same probabilities; the others round weights.
    """

    name: str
    file: str
    extra: str
    modules: tuple[str, ...]
    distributions: tuple[str, ...]
    keeps_float32: bool


def _litert(variant: str, *, keeps_float32: bool) -> Target:
    return Target(
        name=f"litert-{variant}",
        file=f"litert/{variant}.tflite",
        extra="litert",
        modules=("ai_edge_litert",),
        distributions=("ai-edge-litert",),
        keeps_float32=keeps_float32,
    )


TARGETS = (
    _litert("float32", keeps_float32=True),
    _litert("float16", keeps_float32=False),
    _litert("int8", keeps_float32=False),
    Target(
        name="onnx",
        file="onnx/model.onnx",
        extra="onnx",
        modules=("tf2onnx", "onnxruntime"),
        distributions=("onnx", "onnxruntime", "tf2onnx"),
        keeps_float32=True,
    ),
)
NAMES = (SAVED_MODEL, "litert", *(target.name for target in TARGETS))


def parse(formats: str) -> tuple[Target, ...]:
    """The targets in a list such as `savedmodel,litert,onnx`, each once, in order.

    `litert` is its three variants. `savedmodel` adds nothing: a version without it
    would be one that TensorFlow Serving fails to load.

    Raises:
        ConfigError: if a name is unknown, or the list is empty.
    """
    names = [name.strip().lower() for name in formats.split(",") if name.strip()]
    if not names:
        raise ConfigError(f"--format is empty. Allowed: {', '.join(NAMES)}.")
    for name in names:
        if name not in NAMES:
            # Brings numpy, which the help of other commands must not wait for.
            from pipelines.data.names import choices

            raise ConfigError(f"Unknown format {name!r}. {choices(name, NAMES)}")
    return tuple(
        target
        for target in TARGETS
        if target.name in names or target.name.partition("-")[0] in names
    )


def require_installed(targets: Sequence[Target]) -> None:
    """Raises `ConfigError`, with the command to run, unless all modules are there."""
    for target in targets:
        missing = [module for module in target.modules if not _is_installed(module)]
        if missing:
            raise ConfigError(
                f"The format {target.name} needs {' and '.join(missing)}, which is not"
                f" installed. Run: pip install 'zootune[{target.extra}]'"
            )


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # something stands in `sys.modules` for a module that is not
        return False
