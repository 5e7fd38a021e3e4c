"""From a spec to a backbone: preprocessing, network, weights and blocks together."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from zoo import tokenization
from zoo.backend import plain_settings
from zoo.errors import (
    BackboneError,
    CorruptWeightsError,
    MissingWeightsError,
    WeightsError,
)
from zoo.graph import channels as channel_mix
from zoo.graph import preprocessing
from zoo.graph.blocks import Block, find_blocks
from zoo.graph.columns import columns_of
from zoo.plugins import Fit, Network
from zoo.registry import TAKES_HANDLE, get_fit, get_network, get_spec
from zoo.sounds.log_mel import LogMel
from zoo.sounds.picture import SpectrogramPicture
from zoo.sources import (
    applications,
    efficientnet_lite,
    kerashub,
    minilm,
    minirocket,
    saved_model,
    series,
    table,
    tiny,
    use_multilingual,
    word_vectors,
)
from zoo.spec import (
    CENTRED_127,
    BackboneSpec,
    Column,
    ImageInput,
    InputSize,
    SeriesInput,
    SoundInput,
    TableInput,
    TextInput,
)
from zoo.weights import files as weight_files
from zoo.weights.handles import is_unpinned as is_unpinned_address

FITTED, UNFITTED = "fitted", "unfitted"

_NETWORKS: dict[str, Network] = {
    "applications": applications.network,
    "efficientnet_lite": efficientnet_lite.network,
    "kerashub": kerashub.network,
    "minilm": minilm.network,
    "minirocket": minirocket.network,
    "series": series.network,
    "table": table.network,
    "tfhub": saved_model.network,
    "tiny": tiny.network,
    "use_multilingual": use_multilingual.network,
    "word_vectors": word_vectors.network,
}
# What sets the weights of a row that is `fitted` to training data.
_FITS: dict[str, Fit] = {"minirocket": minirocket.fit}
# What reads the classifier that a file of published weights has, too.
_CLASSIFIERS = {"efficientnet_lite": efficientnet_lite.source_classifier}
_FROM_HANDLE = {
    "kerashub": kerashub.from_handle,
    "tfhub": saved_model.from_handle,
    "word_vectors": word_vectors.from_handle,
}


@dataclasses.dataclass(frozen=True, eq=False)
class Backbone:
    """A network from raw input to features, with its blocks in order.

    `model` takes, with preprocessing inside,

    * images: RGB pixels 0..255 `[batch, size, size, 3]` of any number type, and gives a
      feature map `[batch, height, width, spec.feature_width]`;
    * texts: strings `[batch]`, and gives a feature vector `[batch, width]`, or a
      feature sequence `[batch, tokens, width]`, zero at padding;
    * series: float32 `[batch, steps, channels]`, and gives a feature sequence, or a
      feature vector;
    * sounds: the bytes of WAV files `[batch]`, and gives what its network gives for a
      series or a picture;
    * rows of tables: float32 `[batch, columns]`, and gives a feature vector.

    `input_size_px` is the size of images, `input_length` the length of texts, in
    tokens, of series, in steps, and of sounds, in milliseconds; the other one is
    `None`. `rate_hz` is the rate that sounds are brought to. `weights` names the
    source of the weights: `default`, a path, or `random`; `fitted` where they are
    statistics of training data, and `unfitted` before.
    """

    spec: BackboneSpec
    model: keras.Model
    blocks: tuple[Block, ...]
    input_size_px: int | None
    input_length: int | None
    weights: str
    rate_hz: int | None = None


@plain_settings()
def build(
    name: str,
    *,
    handle: str | Path | None = None,
    weights: str | Path | None = "default",
    input_size_px: int | None = None,
    input_length: int | None = None,
    channels: int | None = None,
    columns: Sequence[Column] | None = None,
    rate_hz: int | None = None,
) -> Backbone:
    """A backbone by its name in the registry, or by its handle.

    `handle` goes with the names of `zoo.registry.TAKES_HANDLE`: with `tfhub` it is the
    path or address of a reusable SavedModel, as in `zoo.weights.handles`, with
    `kerashub` the name, the address or the folder of a preset. `weights` is `"default"`
    for the pretrained weights of the row, `None` for random ones, or the path of the
    published file or of one that `backbone.model.save_weights` wrote. `input_size_px`
    is for images, `input_length` for texts, in tokens, for series, in steps, and for
    sounds, in milliseconds; `channels` is for series, and `rate_hz` for sounds, which
    are brought to that rate. `columns` are of tables: a row that was published with
    others keeps the weights of shared columns, and answers at first as if the new ones
    were not there; one for series with other channels begins with their mean. A row
    that is `fitted` has no weights before `fit`, unless it was published with some.

    >>> backbone = build("tiny_image", weights=None, input_size_px=32)
    >>> len(backbone.blocks), backbone.model.input_shape
    (4, (None, 32, 32, 3))

    Raises:
        UnknownBackboneError: if no row has this name.
        BackboneError: if the network cannot take input of this size.
        MissingWeightsError: if the weights are not here; never a silent random start.
        CorruptWeightsError: if the weight file is not the published one, or if a weight
            is not a finite number.
    """
    of_table = None if columns is None else tuple(columns)
    requested = InputSize(input_size_px, input_length, channels, of_table, rate_hz)
    spec, network = _resolve_network(name, handle, requested)
    size = spec.input.size_for(spec.name, requested)
    if spec.is_to_be_fitted and weights == "default":
        weights = None
    published, saved = _resolve_weights(spec, weights)
    _refuse_other_channels(spec, size, weights)
    inputs, prepared = _inputs(spec, size)
    features = network(spec, prepared, published)
    model = keras.Model(inputs, features, name=spec.name)
    if saved:
        _load_saved_weights(model, saved, spec, network)
    if weights is not None:
        _refuse_not_finite(spec, model)
    return Backbone(
        spec=spec,
        model=model,
        blocks=find_blocks(model, spec.blocks),
        input_size_px=size.size_px,
        input_length=size.length,
        weights=_without_weights(spec) if weights is None else str(weights),
        rate_hz=size.rate_hz,
    )


def fit(backbone: Backbone, examples: np.ndarray, *, seed: int = 0) -> Backbone:
    """The same backbone with its weights fitted to training examples.

    `examples` are what it takes: series float32 `[n, steps, channels]`, NaN where a
    value is missing, or the bytes of sounds `[n]`. The same examples and seed give the
    same bits.

    Raises:
        BackboneError: if it is not one that is fitted, or the examples do not fit it.
    """
    spec, takes = backbone.spec, backbone.model.input_shape[1:]
    if not spec.fitted:
        raise BackboneError(
            f"{spec.name} is trained, not fitted: it has no weights that follow from"
            " examples alone."
        )
    if not len(examples) or examples.shape[1:] != takes:
        raise BackboneError(
            f"{spec.name} was built for examples of shape {takes}, and"
            f" {len(examples)} of shape {examples.shape[1:]} came to fit it to. Build"
            " it for their length and channels."
        )
    fitting = _FITS.get(spec.source) or get_fit(spec)
    fitting(backbone.model, examples, seed=seed)
    return dataclasses.replace(backbone, weights=FITTED)


def standardize(backbone: Backbone, examples: np.ndarray) -> Backbone:
    """The same backbone for tables with the scales of columns that it had none of.

    `examples` are rows for training, float32 `[n, columns]`. Columns that the backbone
    was trained on keep their scale. The weights are set in place.

    Raises:
        BackboneError: if it takes no tables, or other columns.
    """
    takes = backbone.model.input_shape[1:]
    if backbone.spec.modality != TableInput.modality or examples.shape[1:] != takes:
        raise BackboneError(
            f"{backbone.spec.name} takes examples of shape {takes}, and rows of a table"
            f" of shape {examples.shape[1:]} came."
        )
    table.fit_scales(backbone.model, examples)
    return backbone


def _without_weights(spec: BackboneSpec) -> str:
    return UNFITTED if spec.fitted else "random"


def is_unpinned(backbone: Backbone) -> bool:
    """True if an address gave its weights and no hash pins them."""
    spec = backbone.spec
    if spec.carries_weights:
        return is_unpinned_address(str(spec.handle))
    if backbone.weights != "default" or spec.weights is None or spec.weights.is_own:
        return False
    return not spec.weights.is_pinned


def _refuse_not_finite(spec: BackboneSpec, model: keras.Model) -> None:
    """Checks weights: outputs may hide a NaN, behind a ReLU within a convolution."""
    for variable in model.variables:
        values = keras.ops.convert_to_numpy(variable)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise CorruptWeightsError(
                f"The weight '{variable.path}' of {spec.name} holds NaN or infinity."
                " Take weights of before that, or those of the registry."
            )


def source_classifier(backbone: Backbone) -> tuple[np.ndarray, np.ndarray] | None:
    """The classifier of the source that building left out, for averaged features.

    Its kernel `[width, classes]` and bias `[classes]`; `None` unless it was built with
    the published weights by default, and their file has a classifier.
    """
    spec = backbone.spec
    read = _CLASSIFIERS.get(spec.source)
    is_published = spec.weights is not None and not spec.weights.is_own
    if read is None or backbone.weights != "default" or not is_published:
        return None
    return read(weight_files.locate(spec))


def _resolve_network(
    name: str, handle: str | Path | None, requested: InputSize
) -> tuple[BackboneSpec, Network]:
    if handle is None:
        spec = get_spec(name)
        return spec, _NETWORKS.get(spec.source) or get_network(spec)
    if name not in TAKES_HANDLE:
        raise BackboneError(
            f"The backbone '{name}' takes no handle. These do:"
            f" {', '.join(TAKES_HANDLE)}."
        )
    return _FROM_HANDLE[name](handle, requested)


def _inputs(
    spec: BackboneSpec, size: InputSize
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The inputs of the model, and the tensors that the network reads of them.

    Inputs are named, because the name becomes the input of the exported signature.
    """
    if isinstance(spec.input, ImageInput):
        pixels = keras.Input((size.size_px, size.size_px, 3), name="pixels")
        return pixels, preprocessing.layer(spec.input.pixels)(pixels)
    if isinstance(spec.input, TextInput):
        text = keras.Input((), dtype="string", name="text")
        tokenizer = spec.input.tokenizer
        if tokenizer is None or size.length is None:
            return text, text
        vocabulary = weight_files.vocabulary(spec)
        return text, tokenization.layer(tokenizer, size.length, vocabulary)(text)
    if isinstance(spec.input, TableInput):
        columns = size.columns or spec.input.columns
        rows = keras.Input((len(columns),), name="table")
        return rows, table.entrance(spec, columns)(rows)
    if isinstance(spec.input, SoundInput) and size.length and size.rate_hz:
        files = keras.Input((), dtype="string", name="sound_bytes")
        bands = LogMel(
            rate_hz=size.rate_hz,
            length_ms=size.length,
            bands=spec.input.bands,
            name="log_mel",
        )
        return files, _as_picture(bands(files), spec.input.picture_px)
    values = keras.Input((size.length, size.channels), name="series")
    if not isinstance(spec.input, SeriesInput) or not spec.input.normalized:
        return values, values
    normalized = preprocessing.series_layer()(values)
    inner = spec.input.inner_channels or spec.input.channels
    # Without weights of its own a network is made for the channels that come.
    if spec.weights is None or size.channels == inner:
        return values, normalized
    return values, channel_mix.mixed(normalized, inner)


def _as_picture(bands: keras.KerasTensor, size_px: int | None) -> keras.KerasTensor:
    """What a network for images reads; the bands themselves without a size."""
    if size_px is None:
        return bands
    picture = SpectrogramPicture(size_px, name="picture", autocast=False)(bands)
    return preprocessing.layer(CENTRED_127)(picture)


def _refuse_other_channels(
    spec: BackboneSpec, size: InputSize, weights: str | Path | None
) -> None:
    """What was fitted to channels has nothing to learn how others are to be mixed."""
    if not isinstance(spec.input, SeriesInput) or weights != "default":
        return
    if spec.fitted and size.channels != spec.input.channels:
        raise BackboneError(
            f"{spec.name} was fitted to series with {spec.input.channels} channels,"
            f" and these have {size.channels}. Choose as many, or fit it anew: that"
            " takes seconds, with the row that it was published from."
        )


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
        path = weight_files.locate(spec)
        is_own = spec.weights is not None and spec.weights.is_own
        return (None, path) if is_own else (path, None)
    path = Path(weights)
    if not path.is_file():
        raise MissingWeightsError(
            f"There is no weight file {path}. weights is 'default', a path, or None for"
            " random weights."
        )
    if spec.weights and path.name == spec.weights.file_name:
        weight_files.verify(path, spec, spec.weights)
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


def _load_saved_weights(
    model: keras.Model, path: Path, spec: BackboneSpec, network: Network
) -> None:
    """Loads weights; those for another input go to what both have.

    That is the columns of both tables, or all behind the channels of series.
    """
    if isinstance(spec.input, TableInput) and columns_of(model) != spec.input.columns:
        transfer, size = table.transfer, InputSize(columns=spec.input.columns)
    elif isinstance(spec.input, SeriesInput) and _has_other_channels(spec, model):
        length = model.input_shape[1]
        transfer = channel_mix.transfer
        size = InputSize(length=length, channels=spec.input.channels)
    else:
        _load(model, path)
        return
    inputs, prepared = _inputs(spec, size)
    source = keras.Model(inputs, network(spec, prepared, None), name=spec.name)
    _load(source, path)
    transfer(source, model)


def _has_other_channels(spec: BackboneSpec, model: keras.Model) -> bool:
    """True for the row's own weights, and series of other channels than these."""
    if not isinstance(spec.input, SeriesInput) or spec.weights is None:
        return False
    return model.input_shape[-1] != spec.input.channels


def _load(model: keras.Model, path: Path) -> None:
    try:
        model.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise WeightsError(
            f"{path} does not hold weights of {model.name}: {_mismatch(str(error))}."
            " Nothing was loaded."
        ) from error


def _mismatch(message: str) -> str:
    """The first tensor that does not fit; Keras says it with all its values."""
    layer = re.search(r"object <\w+ name=([^,>]+)", message)
    shapes = re.search(r"variable\.shape=(\(.*?\)).*?value\.shape=(\(.*?\))", message)
    if not layer or not shapes:
        return message.strip().splitlines()[0].rstrip(".")
    ours, theirs = shapes.groups()
    return f"a tensor of '{layer[1]}' has shape {ours}, and {theirs} in the file"
