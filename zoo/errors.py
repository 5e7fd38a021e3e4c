"""The errors a caller of `zoo` may want to catch."""


class BackboneError(ValueError):
    """A backbone cannot be described or built as asked."""


class UnknownBackboneError(BackboneError):
    """No row of the registry has this name."""


class WeightsError(BackboneError):
    """Pretrained weights cannot be used."""


class MissingWeightsError(WeightsError):
    """Pretrained weights are not on this machine; the message says how to get them."""


class CorruptWeightsError(WeightsError):
    """A weight file is not the published one; it was left unused."""


class DownloadError(BackboneError):
    """A file could not be had from its address."""


class WrongContentError(DownloadError):
    """An address offers something else than what was expected; it was thrown away."""


class OfflineError(DownloadError):
    """A file is not on this machine, and nothing may be fetched."""


class UnpinnedError(DownloadError):
    """Nobody published a hash of a file, and nobody has said to trust its address."""


class ArchiveError(BackboneError):
    """An archive is damaged, holds no model, or would write where it must not."""


class StoreError(BackboneError):
    """The store of fetched files cannot be used."""


class CorruptEntryError(StoreError):
    """An entry of the store is not what was once put there."""
