"""KerasHub and its presets: whether they can be had, said before they are loaded.

https://keras.io/keras_hub/presets. A preset is a folder with a network, its weights,
and what prepares its input. KerasHub fetches it from a hub, or reads it from disk.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from zoo.errors import BackboneError, DownloadError, OfflineError
from zoo.storage import fetch
from zoo.storage.home import expanded

TEXT_OPS = "tensorflow_text"
INSTALL_HINT = (
    "pip install 'zootune[kerashub]', or, beside tensorflow-cpu, the two commands that"
    " README.md has under 'KerasHub presets'"
)
_HUBS = ("kaggle", "hf", "modelscope", "gs")
_PROBLEMS = (ValueError, TypeError, KeyError, OSError, UserWarning)
_KEPT_RANDOM = ".*retain their freshly-initialized weights"
_NETWORK, _TOKENIZER = "config.json", "tokenizer.json"


def library() -> ModuleType:
    """The module `keras_hub`.

    Raises:
        BackboneError: if it is not installed, or not whole.
    """
    if importlib.util.find_spec("keras_hub") is None:
        raise BackboneError(f"KerasHub is not installed: {INSTALL_HINT}.")
    try:
        return importlib.import_module("keras_hub")
    except ImportError as error:
        raise BackboneError(
            f"KerasHub is installed, but not all that it needs: {error}. {INSTALL_HINT}"
        ) from error


def find(handle: str | Path) -> str:
    """A preset as KerasHub takes it: a name, an address, or the path of a folder.

    Raises:
        BackboneError: if the preset does not exist; suggests the nearest names.
        OfflineError: if it would have to be fetched, and nothing may be.
    """
    preset = str(handle)
    names = library().models.Backbone.presets
    scheme, is_address, _ = preset.partition("://")
    if preset in names or (is_address and scheme in _HUBS):
        _refuse_offline(preset)
        return preset
    folder = expanded(preset).absolute()
    if not is_address and folder.is_dir():
        _refuse_no_network(folder)
        return str(folder)
    near = difflib.get_close_matches(preset, names, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise BackboneError(
        f"There is no KerasHub preset '{preset}'.{hint} A preset is one of the"
        f" {len(names)} names of keras_hub.models.Backbone.presets, an address that"
        f" begins with {', '.join(f'{hub}://' for hub in _HUBS)}, or a folder that"
        " `save_to_preset` wrote."
    )


def load(part: Callable[..., Any], preset: str, **options: Any) -> Any:
    """The object that `part`, a `from_preset` of KerasHub, makes of a preset.

    Raises:
        DownloadError: if the preset has to be fetched, and cannot be.
        BackboneError: if it cannot be loaded.
    """
    import tensorflow as tf

    try:
        with warnings.catch_warnings():
            # Keras warns and goes on where a file has no weights for a layer.
            warnings.filterwarnings("error", _KEPT_RANDOM)
            return part(preset, **options)
    except (*_PROBLEMS, tf.errors.OpError) as error:
        reason = str(error).strip().partition("\n")[0] or repr(error)
        if Path(preset).is_dir():
            raise BackboneError(
                f"KerasHub cannot load the preset in {preset}: {reason}"
            ) from error
        raise DownloadError(
            f"The preset {preset} is not available from its hub: {reason} {_BY_HAND}"
        ) from error


_BY_HAND = (
    "On a machine without internet, give the path of a folder as the handle: one that"
    " was fetched on another machine, where KerasHub keeps presets below"
    " ~/.cache/kagglehub, or that `save_to_preset` wrote."
)


def _refuse_offline(preset: str) -> None:
    if fetch.is_offline():
        raise OfflineError(
            f"The preset {preset} would be fetched from its hub, and ZOOTUNE_OFFLINE"
            f" forbids it. {_BY_HAND}"
        )


def _refuse_no_network(folder: Path) -> None:
    """Raises `BackboneError` unless a folder holds a preset with a network."""
    there = sorted(path.name for path in folder.iterdir())
    if _NETWORK in there:
        _refuse_no_configuration(folder / _NETWORK)
        return
    problem = "holds a tokenizer only" if _TOKENIZER in there else "is not a preset"
    raise BackboneError(
        f"The folder {folder} {problem}: it has no {_NETWORK}, which describes a"
        f" network. There are {', '.join(there[:8]) or 'no files'}. Write both the"
        " backbone and its preprocessor there with `save_to_preset`."
    )


def _refuse_no_configuration(path: Path) -> None:
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BackboneError(f"{path} cannot be read: {error}.") from error
    if not isinstance(values, dict):
        raise BackboneError(f"{path} describes no network: it holds {values!r:.80}.")
