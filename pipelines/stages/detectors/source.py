"""A detector of another source: read, and refused where it does not fit the data."""

from __future__ import annotations

from pathlib import Path

from pipelines.config import RunConfig
from pipelines.data.splits import Series, Split
from pipelines.errors import ConfigError
from pipelines.formats import detector_file
from pipelines.planning.detectors import autoencoder_name, reads_series
from pipelines.problems.anomalies.moving import SourceDetector
from pipelines.stages.outputs import fingerprint
from zoo.builder import Backbone

# The modalities whose examples are changed into anomalies, which judge a transfer.
_JUDGED = ("image", "series")
# Its layers are the same at any length.
_ANY_LENGTH = autoencoder_name("convolutional", "")


def source_of(base: Backbone, some: Split, config: RunConfig) -> SourceDetector | None:
    """The detector that `config.anomaly.transfer` names; None if it names none.

    Raises:
        ArtifactError: if there is no detector, or not the one that was published.
        ConfigError: if it does not fit the data, or the backbone.
    """
    place = config.anomaly.transfer
    if not place:
        return None
    modality = base.spec.modality
    if modality not in _JUDGED:
        raise ConfigError(
            f"config.anomaly.transfer is '{place}', and the data are of {modality}: a"
            " transfer is judged by injected anomalies, which images and series alone"
            " have. Leave it out."
        )
    source = detector_file.read(Path(place))
    if reads_series(source.method):
        _require_series(source, some)
    else:
        _require_backbone(source, base)
    return source


def require_reads(
    source: SourceDetector, reads: list[tuple[str, int]], modality: str
) -> None:
    """Raises `ConfigError` if it reads other blocks than the head would."""
    own = [(name, source.grid) for name in source.reads]
    if modality == "image" and own != reads:
        raise ConfigError(
            f"The detector of {source.place} reads the blocks {own}, and the config has"
            f" {reads}. Set config.head.reads and config.head.grid as in its config."
        )


def _require_series(source: SourceDetector, some: Split) -> None:
    length, channels = source.takes
    if not isinstance(some.inputs, Series):
        raise ConfigError(
            f"The detector of {source.place} takes series, and the data are"
            f" {some.inputs.modality}s. Give a run on data of the same kind."
        )
    _, own_length, own_channels = some.inputs.values.shape
    if own_channels != channels:
        raise ConfigError(
            f"The detector of {source.place} takes series with {channels} channels, and"
            f" the data have {own_channels}. Give data with the same channels, or leave"
            " config.anomaly.transfer out."
        )
    if own_length != length and not source.method.startswith(_ANY_LENGTH):
        raise ConfigError(
            f"The detector of {source.place} takes series of {length} steps, and the"
            f" data have {own_length}: '{source.method}' reads them as a whole. Train"
            " the source with config.anomaly.network=convolutional, or resample."
        )


def _require_backbone(source: SourceDetector, base: Backbone) -> None:
    if source.backbone != fingerprint(base):
        raise ConfigError(
            f"The detector of {source.place} reads features of other weights than those"
            f" of '{base.spec.name}' here. Use its backbone, with its weights and"
            " input_size_px."
        )
