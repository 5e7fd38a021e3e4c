"""From a spec to a backbone: preprocessing, network, weights and blocks together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import keras

from zoo import preprocessing
from zoo import weights as weight_files
from zoo.blocks import Block, find_blocks
from zoo.errors import BackboneError, MissingWeightsError, WeightsError
from zoo.registry import TAKES_HANDLE, get_spec
from zoo.sources import applications, efficientnet_lite, saved_model, tiny
from zoo.spec import BackboneSpec

Network = Callable[[BackboneSpec, keras.KerasTensor, Path | None], keras.KerasTensor]

_NETWORKS: dict[str, Network] = {
    "applications": applications.network,
    "efficientnet_lite": efficientnet_lite.network,
    "tfhub": saved_model.network,
    "tiny": tiny.network,
}
_FROM_HANDLE = {"tfhub": saved_model.from_handle}


@dataclasses.dataclass(frozen=True, eq=False)
class Backbone:
    """A network from raw pixels to a feature map, with its blocks in order.

    `model` takes RGB pixels 0..255 `[batch, size, size, 3]` of any number type and
    gives `[batch, height, width, spec.feature_width]`. `weights` says what it was
    filled with: `default`, a path, or `random`.
    """

    spec: BackboneSpec
    model: keras.Model
    blocks: tuple[Block, ...]
    input_size_px: int
    weights: str


def build(
    name: str,
    *,
    handle: str | Path | None = None,
    weights: str | Path | None = "default",
    input_size_px: int | None = None,
) -> Backbone:
    """A backbone by its name in the registry, or by its handle.

    `handle` goes with the name `tfhub` and is a folder with a reusable SavedModel.
    `weights` is `"default"` for the pretrained weights of the row, `None` for random
    ones, or the path of the published file or of one that
    `backbone.model.save_weights` wrote.

    Raises:
        UnknownBackboneError: if no row has this name.
        BackboneError: if the network cannot take images of this size.
        MissingWeightsError: if the weights are not here; never a silent random start.
        CorruptWeightsError: if the weight file is not the published one.
    """
    spec, network = _resolve_network(name, handle, input_size_px)
    size = spec.default_size_px if input_size_px is None else input_size_px
    spec.check_size(size)
    published, saved = _resolve_weights(spec, weights)
    # Named, because the name becomes the input of the exported signature.
    pixels = keras.Input((size, size, 3), name="pixels")
    normalized = preprocessing.layer(spec.pixels)(pixels)
    features = network(spec, normalized, published)
    model = keras.Model(pixels, features, name=spec.name)
    if saved:
        _load_saved_weights(model, saved)
    return Backbone(
        spec=spec,
        model=model,
        blocks=find_blocks(model, spec.blocks),
        input_size_px=size,
        weights="random" if weights is None else str(weights),
    )


def _resolve_network(
    name: str, handle: str | Path | None, input_size_px: int | None
) -> tuple[BackboneSpec, Network]:
    if handle is None:
        spec = get_spec(name)
        return spec, _NETWORKS[spec.source]
    if name not in TAKES_HANDLE:
        raise BackboneError(
            f"A handle was given with the backbone '{name}', which takes none. Those"
            f" that do: {', '.join(TAKES_HANDLE)}."
        )
    return _FROM_HANDLE[name](handle, input_size_px=input_size_px)


def _resolve_weights(
    spec: BackboneSpec, weights: str | Path | None
) -> tuple[Path | None, Path | None]:
    """The verified published file to read, or the saved file to load, or neither."""
    if weights is None and spec.carries_weights:
        raise WeightsError(
            f"{spec.name} cannot start from random weights: {spec.handle} brings its"
            " own. Use weights='default', and another strategy than 'scratch'."
        )
    if weights is None or (weights == "default" and spec.carries_weights):
        return None, None
    if weights == "default":
        return weight_files.locate(spec), None
    path = Path(weights)
    if not path.is_file():
        raise MissingWeightsError(
            f"There is no weight file {path}. weights is 'default', a path, or None for"
            " random weights."
        )
    if spec.weights and path.name == spec.weights.file_name:
        weight_files.verify(path, spec)
        return path, None
    if spec.weights_change_graph:
        raise WeightsError(
            f"Keras rescales the input of {spec.name} only for its own weights, so a"
            f" file of others would be read wrongly. Use weights='default' or None."
        )
    if not path.name.endswith(".weights.h5"):
        raise WeightsError(
            f"{path} is not a file of backbone weights: expected one that"
            " `backbone.model.save_weights` wrote ('.weights.h5')."
        )
    return None, path


def _load_saved_weights(model: keras.Model, path: Path) -> None:
    try:
        model.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise WeightsError(
            f"{path} does not hold weights of {model.name}: {error}"
        ) from error
