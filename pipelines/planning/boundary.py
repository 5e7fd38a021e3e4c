"""The boundary between what stays and what trains: by name, by measurement, by size."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Sequence

from pipelines.errors import ConfigError

AUTO = "auto"
# Up to the first number of examples per class no block trains, and from the second
# times the first on all do: arxiv.org/abs/2201.03529 and arxiv.org/abs/2202.10054
# agree on the ends. Between them the share grows with the logarithm, because each step
# of gain takes as many times the data.
_FIRST_PER_CLASS = 5
_ALL_AT_TIMES = 20
# A difference of two standard errors is chance in one of twenty cases.
_CLEAR_ERRORS = 2.0


@dataclasses.dataclass(frozen=True)
class PairedGain:
    """A mean gain of one probe over another on the same examples left out of both."""

    gain: float
    standard_error: float

    @property
    def is_clear(self) -> bool:
        """True if it is more than two standard errors."""
        return self.gain > _CLEAR_ERRORS * self.standard_error

    @property
    def is_loss(self) -> bool:
        """True if it is below zero by more than a standard error."""
        return self.gain < -self.standard_error


@dataclasses.dataclass(frozen=True)
class DepthEvidence:
    """The best single block, and a head on a network that is cut.

    `over_last` is the gain of that block alone over the last block alone. `of_cut` is
    the gain of the best head on the network cut after the block `cut_after` over the
    best head on all of it, if that was measured. Both are of examples left out of the
    fits, in the compared metric.
    """

    block: str
    over_last: PairedGain
    cut_after: str = ""
    of_cut: PairedGain | None = None


def unfrozen_share(per_class: float) -> float:
    """The share of the blocks that train, by the examples of a class.

    >>> [round(unfrozen_share(k), 2) for k in (3, 5, 20, 50, 100, 1000)]
    [0.0, 0.0, 0.46, 0.77, 1.0, 1.0]
    """
    if per_class <= _FIRST_PER_CLASS:
        return 0.0
    share = math.log(per_class / _FIRST_PER_CLASS) / math.log(_ALL_AT_TIMES)
    return min(1.0, share)


def last_share(block_names: Sequence[str], share: float) -> tuple[str, ...]:
    """The last blocks, as many as the share of all of them, rounded up.

    >>> last_share(("stem", "middle", "end"), 0.46)
    ('middle', 'end')
    """
    count = math.ceil(share * len(block_names))
    return tuple(block_names[len(block_names) - count :])


def blocks_from(
    block_names: Sequence[str], name: str, *, field: str, backbone: str
) -> tuple[str, ...]:
    """The block that a field of the config names, and all after it.

    Raises:
        ConfigError: if the backbone has no such block; it says which it has.
    """
    if name in block_names:
        return tuple(block_names[list(block_names).index(name) :])
    near = difflib.get_close_matches(name, block_names, n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise ConfigError(
        f"config.{field} is '{name}', and the backbone '{backbone}' has no such block."
        f"{hint} Its blocks in order are {', '.join(block_names)}."
    )
