"""Facts about a backbone before anything is built: plain, frozen records."""

from __future__ import annotations

import dataclasses
import re
from typing import ClassVar

from zoo.errors import BackboneError

OUTPUT = "output"
HEAD = "head"
# Steps beyond this take gigabytes for a batch, in any network.
LONGEST_SERIES = 65_536
# A minute is 6,000 steps of a spectrogram.
LONGEST_SOUND_MS = 60_000
SOUND_RATES_HZ = (8_000, 16_000)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LAYER_BY_CLASS = re.compile(r"(?P<layer_class>[A-Za-z0-9]+)#(?P<ordinal>[1-9][0-9]*)")


@dataclasses.dataclass(frozen=True)
class PixelConvention:
    """The scale of pixels that a backbone takes: `(pixels - mean) / std`, per channel.

    `mean` and `std` are in grey levels 0..255 and in the order of `channels`, which is
    the order the network was trained on. All published conventions have this form.
    """

    name: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channels: str = "rgb"


# The conventions of `keras.applications`, of EfficientNet-Lite, and of TF Hub.
INSIDE = PixelConvention("inside the network", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
MINUS_ONE_TO_ONE = PixelConvention("-1 to 1", (127.5,) * 3, (127.5,) * 3)
IMAGENET_MEAN_STD = PixelConvention(
    "ImageNet mean and deviation",
    (0.485 * 255, 0.456 * 255, 0.406 * 255),
    (0.229 * 255, 0.224 * 255, 0.225 * 255),
)
BGR_MEAN = PixelConvention(
    "BGR minus ImageNet mean", (103.939, 116.779, 123.68), (1.0, 1.0, 1.0), "bgr"
)
CENTRED_127 = PixelConvention("(pixels - 127) / 128", (127.0,) * 3, (128.0,) * 3)
ZERO_TO_ONE = PixelConvention("0 to 1", (0.0,) * 3, (255.0,) * 3)


@dataclasses.dataclass(frozen=True)
class Boundary:
    """The end of a block.

    `layer` is the name of the block's last layer; `Class#n`, the n-th layer of that
    class in the network, where the architecture numbers its layers per process; or
    `output`, the end of the network.
    """

    block: str
    layer: str

    def __post_init__(self) -> None:
        if "#" in self.layer and self.layer_by_class is None:
            raise BackboneError(
                f"Block '{self.block}' ends at '{self.layer}', which is neither a layer"
                " name nor of the form 'Class#n' with n counted from 1."
            )

    @property
    def layer_by_class(self) -> tuple[str, int] | None:
        """`(class name, n)` if the layer is given by its class, else `None`."""
        match = _LAYER_BY_CLASS.fullmatch(self.layer)
        return (match["layer_class"], int(match["ordinal"])) if match else None


@dataclasses.dataclass(frozen=True)
class WeightsFile:
    """A file of pretrained weights: its source, and the hashes to verify it by.

    Either `package` (a requirement such as `name==1.0`) carries it at `path`, relative
    to the site folder, or `url` offers it for download. With neither it is the user's
    own, at `path` on this machine.
    """

    file_name: str
    license: str
    package: str | None = None
    path: str | None = None
    url: str | None = None
    sha256: str | None = None
    md5: str | None = None

    @property
    def is_own(self) -> bool:
        """True for a file of the user, which cannot be fetched."""
        return self.package is None and self.url is None

    @property
    def is_pinned(self) -> bool:
        """True if the file has a published hash."""
        return self.sha256 is not None or self.md5 is not None


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table: its name, and its categories in order if it has no numbers.

    In arrays a category is its place in `categories`, counted from 1. 0 is a category
    that is not among them, and NaN a missing value.
    """

    name: str
    categories: tuple[str, ...] | None = None

    @property
    def is_number(self) -> bool:
        """True for numbers, false for categories."""
        return self.categories is None

    @property
    def problem(self) -> str | None:
        """The contradiction in its categories, if any."""
        if self.categories is None or len(set(self.categories)) == len(self.categories):
            return None
        return f"has a category twice in column '{self.name}'"


@dataclasses.dataclass(frozen=True)
class InputSize:
    """The size of the input to build a network for; `None` takes the default.

    `size_px` is for images, `length` for texts in tokens, for series in steps and for
    sounds in milliseconds, `channels` for series, `columns` for tables and `rate_hz`
    for sounds.
    """

    size_px: int | None = None
    length: int | None = None
    channels: int | None = None
    columns: tuple[Column, ...] | None = None
    rate_hz: int | None = None

    def refuse_others(self, name: str, modality: str, *allowed: str) -> None:
        """Raises `BackboneError` for a size that the modality does not have."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None and field.name not in allowed:
                prefix = "input_" if field.name in ("size_px", "length") else ""
                argument = f"{prefix}{field.name}"
                raise BackboneError(
                    f"{argument} is {value}, but {name} takes {modality}, which has"
                    f" none. Leave {argument} out."
                )


@dataclasses.dataclass(frozen=True)
class ImageInput:
    """Square RGB images: pixels 0..255, `[batch, size, size, 3]`."""

    modality: ClassVar[str] = "image"
    default_size_px: int
    minimum_size_px: int
    pixels: PixelConvention

    @property
    def problem(self) -> str | None:
        """The contradiction in its sizes, if any."""
        if 1 <= self.minimum_size_px <= self.default_size_px:
            return None
        return (
            f"has minimum size {self.minimum_size_px} px and default size"
            f" {self.default_size_px} px; expected 1 <= minimum <= default"
        )

    def size_for(self, name: str, requested: InputSize) -> InputSize:
        """The size to build for.

        Raises:
            BackboneError: if the network cannot take images of this size.
        """
        requested.refuse_others(name, "images", "size_px")
        size = self.default_size_px if requested.size_px is None else requested.size_px
        if size < self.minimum_size_px:
            raise BackboneError(
                f"{name} cannot take images of {size} px: its smallest input is"
                f" {self.minimum_size_px} px and its default"
                f" {self.default_size_px} px. Set input_size_px to one of at least"
                f" {self.minimum_size_px}."
            )
        return InputSize(size_px=size)

    def __str__(self) -> str:
        return f"{self.default_size_px} px, at least {self.minimum_size_px} px"


@dataclasses.dataclass(frozen=True)
class Tokenizer:
    """The rule that turns a text into ids below `size`; id 0 is padding.

    `kind` names a layer of `zoo.tokenization`; `vocabulary` is the file that it reads,
    and `preset` the preset of KerasHub that brings it, with a padding of its own.
    """

    kind: str
    size: int
    vocabulary: WeightsFile | None = None
    preset: str | None = None


@dataclasses.dataclass(frozen=True)
class TextInput:
    """Texts: UTF-8 strings, `[batch]`; their first tokens are read.

    Without a `tokenizer` the network itself takes strings, and no length is known.
    """

    modality: ClassVar[str] = "text"
    tokenizer: Tokenizer | None = None
    default_length_tokens: int | None = None
    maximum_length_tokens: int | None = None

    @property
    def problem(self) -> str | None:
        """The contradiction in its sizes, if any."""
        default, maximum = self.default_length_tokens, self.maximum_length_tokens
        if (self.tokenizer is None) != (default is None):
            return "needs a default length where it has a tokenizer, and only there"
        if default is None:
            return None
        if 1 <= default <= (default if maximum is None else maximum):
            return None
        return (
            f"has default length {default} and maximum length {maximum} tokens;"
            " expected 1 <= default <= maximum"
        )

    def size_for(self, name: str, requested: InputSize) -> InputSize:
        """The size to build for.

        Raises:
            BackboneError: if the network cannot take texts of this length.
        """
        requested.refuse_others(name, "texts", "length")
        if self.tokenizer is None:
            requested.refuse_others(name, "whole texts")
            return InputSize()
        default, maximum = self.default_length_tokens, self.maximum_length_tokens
        length = (default if requested.length is None else requested.length) or 0
        if not 1 <= length <= (maximum or length):
            raise BackboneError(
                f"{name} cannot take texts of {length} tokens: allowed are 1 to"
                f" {maximum or 'any number'}, and its default is {default}."
            )
        return InputSize(length=length)

    def __str__(self) -> str:
        if self.tokenizer is None:
            return "text"
        return f"text, {self.default_length_tokens} tokens ({self.tokenizer.kind})"


@dataclasses.dataclass(frozen=True)
class SeriesInput:
    """Series of numbers: float32, `[batch, steps, channels]`; NaN is a missing value.

    The network takes any number of channels; `channels` is what the row's parameters
    are counted for, and its default. With `normalized` it reads every channel of every
    series at mean 0 and deviation 1; else the numbers as they come, gaps included.
    `inner_channels` are read by a network behind a layer that mixes `channels`.
    """

    modality: ClassVar[str] = "series"
    default_length_steps: int
    minimum_length_steps: int
    channels: int = 1
    normalized: bool = True
    inner_channels: int | None = None

    @property
    def problem(self) -> str | None:
        """The contradiction in its sizes, if any."""
        fits = 1 <= self.minimum_length_steps <= self.default_length_steps
        if fits and self.channels >= 1:
            return None
        return (
            f"has minimum length {self.minimum_length_steps}, default length"
            f" {self.default_length_steps} and {self.channels} channels; expected"
            " 1 <= minimum <= default and at least one channel"
        )

    def size_for(self, name: str, requested: InputSize) -> InputSize:
        """The size to build for.

        Raises:
            BackboneError: if the network cannot take series of this length.
        """
        requested.refuse_others(name, "series", "length", "channels")
        length = (
            self.default_length_steps if requested.length is None else requested.length
        )
        channels = self.channels if requested.channels is None else requested.channels
        if length < self.minimum_length_steps or channels < 1:
            raise BackboneError(
                f"{name} cannot take series of {length} steps and {channels} channels:"
                f" it needs at least {self.minimum_length_steps} steps and a channel."
            )
        if length > LONGEST_SERIES:
            raise BackboneError(
                f"{name} cannot take series of {length:,} steps: the longest have"
                f" {LONGEST_SERIES:,}. Cut them into windows, each an example with the"
                " series as its group, or keep every n-th step."
            )
        return InputSize(length=length, channels=channels)

    def __str__(self) -> str:
        return f"series, at least {self.minimum_length_steps} steps"


@dataclasses.dataclass(frozen=True)
class SoundInput:
    """Sounds: the bytes of WAV files, `[batch]`, decoded in the graph.

    They are mixed to one channel, brought to `rate_hz` samples a second, cut or padded
    to a length in milliseconds, and read as the energy of `bands` mel bands over time;
    with `picture_px` as a picture of it for a network for images.
    """

    modality: ClassVar[str] = "sound"
    default_length_ms: int
    minimum_length_ms: int
    rate_hz: int
    bands: int
    picture_px: int | None = None

    @property
    def problem(self) -> str | None:
        """The contradiction in its sizes, if any."""
        fits = 1 <= self.minimum_length_ms <= self.default_length_ms
        if fits and self.default_length_ms <= LONGEST_SOUND_MS and self.bands >= 1:
            return None
        return (
            f"has minimum length {self.minimum_length_ms} ms, default length"
            f" {self.default_length_ms} ms and {self.bands} bands; expected 1 <="
            f" minimum <= default <= {LONGEST_SOUND_MS} and at least one band"
        )

    def size_for(self, name: str, requested: InputSize) -> InputSize:
        """The size to build for.

        Raises:
            BackboneError: if the network cannot take sounds of this length or rate.
        """
        requested.refuse_others(name, "sounds", "length", "rate_hz")
        length = (
            self.default_length_ms if requested.length is None else requested.length
        )
        rate_hz = self.rate_hz if requested.rate_hz is None else requested.rate_hz
        if not self.minimum_length_ms <= length <= LONGEST_SOUND_MS:
            raise BackboneError(
                f"{name} cannot take sounds of {length} ms: allowed are"
                f" {self.minimum_length_ms} to {LONGEST_SOUND_MS} ms. Set input_length"
                " to one of these, or cut long sounds into pieces, each an example."
            )
        if rate_hz not in SOUND_RATES_HZ:
            raise BackboneError(
                f"{name} cannot read sounds at {rate_hz} samples a second; rate_hz is"
                f" {' or '.join(map(str, SOUND_RATES_HZ))}, and sounds of other rates"
                " are brought to it."
            )
        return InputSize(length=length, rate_hz=rate_hz)

    def __str__(self) -> str:
        return f"sound, at least {self.minimum_length_ms} ms"


@dataclasses.dataclass(frozen=True)
class TableInput:
    """Rows of a table: float32, `[batch, columns]`, as `Column` says; NaN is missing.

    The network takes any columns; `columns` are its own: the default, and what the
    row's parameters are counted for.
    """

    modality: ClassVar[str] = "table"
    columns: tuple[Column, ...]

    @property
    def problem(self) -> str | None:
        """The contradiction in its columns, if any."""
        names = [column.name for column in self.columns]
        if not names or len(set(names)) < len(names):
            return f"needs columns with distinct names, got {names}"
        return next((c.problem for c in self.columns if c.problem), None)

    def size_for(self, name: str, requested: InputSize) -> InputSize:
        """The size to build for.

        Raises:
            BackboneError: if columns have the same name, or there is not a column.
        """
        requested.refuse_others(name, "rows of a table", "columns")
        columns = self.columns if requested.columns is None else requested.columns
        problem = TableInput(columns).problem
        if problem:
            raise BackboneError(f"{name} cannot take this table: it {problem}.")
        return InputSize(columns=columns)

    def __str__(self) -> str:
        return "rows of a table, any columns of numbers and categories"


Input = ImageInput | TextInput | SeriesInput | SoundInput | TableInput


@dataclasses.dataclass(frozen=True)
class BackboneSpec:
    """One row of the catalog.

    `input` is what the network takes. `parameters` counts the network without its
    classifier, and is `None` where nobody has counted so. `feature_width` is the last
    dimension of the features. `handle` is what the source's loader calls the network.
    `imagenet_top1` is the published single-crop accuracy, as a fraction.
    `carries_weights` says that the weights come with the handle, as in a SavedModel,
    and `trainable` whether anything in it can train. A `fitted` network has nothing
    that was trained: its weights are statistics of the training data, which its source
    computes once (`zoo.fit`). `requires` are the modules that a process has to import
    before it reads the graph, because they bring TensorFlow ops.
    """

    name: str
    source: str
    handle: str
    input: Input
    feature_width: int
    parameters: int | None
    blocks: tuple[Boundary, ...]
    license: str
    paper: str
    weights: WeightsFile | None = None
    imagenet_top1: float | None = None
    weights_change_graph: bool = False
    carries_weights: bool = False
    trainable: bool = True
    fitted: bool = False
    requires: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        def refuse(problem: str) -> None:
            raise BackboneError(f"The row '{self.name}' {problem}.")

        if not _NAME.fullmatch(self.name):
            refuse("needs a name of lower-case letters, digits and underscores")
        if self.input.problem:
            refuse(self.input.problem)
        if self.feature_width < 1 or (self.parameters or 0) < 0:
            refuse("needs a positive feature width and a parameter count")
        if not self.license:
            refuse("needs a licence, an SPDX identifier such as 'Apache-2.0'")
        names = [boundary.block for boundary in self.blocks]
        if not names or len(set(names)) != len(names):
            refuse(f"needs blocks with distinct names, got {names}")
        if HEAD in names:
            refuse(f"cannot call a block '{HEAD}', which is the name of the new layers")
        if self.blocks[-1].layer != OUTPUT:
            refuse(
                f"must end its last block at '{OUTPUT}', not '{self.blocks[-1].layer}'"
            )

    @property
    def modality(self) -> str:
        """`image`, `text`, `series`, `sound` or `table`."""
        return self.input.modality

    @property
    def token_ids(self) -> int:
        """The number of ids of its tokenizer.

        Raises:
            BackboneError: if it has none.
        """
        if not isinstance(self.input, TextInput) or self.input.tokenizer is None:
            raise BackboneError(f"{self.name} has no tokenizer.")
        return self.input.tokenizer.size

    @property
    def block_names(self) -> tuple[str, ...]:
        """The names of the blocks, from input to output."""
        return tuple(boundary.block for boundary in self.blocks)

    @property
    def pretrained(self) -> bool:
        """True if weights of the network are published."""
        return self.weights is not None or self.carries_weights

    @property
    def is_to_be_fitted(self) -> bool:
        """True if its weights come from the training data, and none are published."""
        return self.fitted and not self.pretrained
