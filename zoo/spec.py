"""What is known about a backbone before anything is built: plain, frozen records."""

from __future__ import annotations

import dataclasses
import re

from zoo.errors import BackboneError

OUTPUT = "output"
HEAD = "head"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LAYER_BY_CLASS = re.compile(r"(?P<layer_class>[A-Za-z0-9]+)#(?P<ordinal>[1-9][0-9]*)")


@dataclasses.dataclass(frozen=True)
class PixelConvention:
    """How a backbone wants its pixels: `(pixels - mean) / std`, per channel.

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
    """Where a block ends.

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
    """A file of pretrained weights: where it comes from and how to know it is the one.

    Either `package` (a requirement such as `name==1.0`) carries it at `path`, relative
    to the site folder, or `url` offers it for download.
    """

    file_name: str
    license: str
    package: str | None = None
    path: str | None = None
    url: str | None = None
    sha256: str | None = None
    md5: str | None = None


@dataclasses.dataclass(frozen=True)
class BackboneSpec:
    """One row of the catalog.

    `parameters` counts the network without its classifier. `feature_width` is the last
    dimension of the feature map. `handle` is what the source's loader calls the
    network. `imagenet_top1` is the published single-crop accuracy, as a fraction.
    `carries_weights` says that the weights come with the handle, as in a SavedModel,
    and `trainable` whether anything in it can train.
    """

    name: str
    source: str
    handle: str
    modality: str
    default_size_px: int
    minimum_size_px: int
    pixels: PixelConvention
    feature_width: int
    parameters: int
    blocks: tuple[Boundary, ...]
    license: str
    paper: str
    weights: WeightsFile | None = None
    imagenet_top1: float | None = None
    weights_change_graph: bool = False
    carries_weights: bool = False
    trainable: bool = True

    def __post_init__(self) -> None:
        def refuse(what: str) -> None:
            raise BackboneError(f"The row '{self.name}' {what}.")

        if not _NAME.fullmatch(self.name):
            refuse("needs a name of lower-case letters, digits and underscores")
        if not 1 <= self.minimum_size_px <= self.default_size_px:
            refuse(
                f"has minimum size {self.minimum_size_px} px and default size"
                f" {self.default_size_px} px; expected 1 <= minimum <= default"
            )
        if self.feature_width < 1 or self.parameters < 0:
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
    def block_names(self) -> tuple[str, ...]:
        return tuple(boundary.block for boundary in self.blocks)

    @property
    def pretrained(self) -> bool:
        return self.weights is not None or self.carries_weights

    def check_size(self, input_size_px: int) -> None:
        """Raises `BackboneError` if the network cannot take images of this size."""
        if input_size_px < self.minimum_size_px:
            raise BackboneError(
                f"{self.name} cannot take images of {input_size_px} px: its smallest"
                f" input is {self.minimum_size_px} px and its default"
                f" {self.default_size_px} px. Set input_size_px to one of at least"
                f" {self.minimum_size_px}."
            )
