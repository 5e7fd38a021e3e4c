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
