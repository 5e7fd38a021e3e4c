"""Images of 16 bits in each channel; training and serving use the upper 8."""

from __future__ import annotations

from collections.abc import Iterable

_GREATEST = 2**16 - 1
# This many of 256 grey levels are as good as all.
_ENOUGH_GREYS = 200


def is_dark(deepest: int) -> bool:
    """True if few grey levels are left of an image with this largest value."""
    return deepest > 0 and _greys(deepest) < _ENOUGH_GREYS


def deep_note(deepest: Iterable[int], total: int) -> str:
    """A sentence on the grey levels that are lost, or nothing without such images.

    `deepest` has the largest value of each image of 16 bits, among `total` of any kind.
    A scan of 12 bits in a file of 16 keeps 16 of its 4,096 steps.
    """
    values = [value for value in deepest if value]
    if not values:
        return ""
    largest = max(values)
    begin = (
        f"{len(values)} of {total} images have 16 bits in each channel, and the upper 8"
        f" are used. Their largest value is {largest:,} of {_GREATEST:,}, which leaves"
        f" {_greys(largest)} of 256 greys."
    )
    if not is_dark(largest):
        return begin
    return (
        f"{begin} Multiply their values by {_GREATEST // max(largest, 1)} and save them"
        " again: images for training, and later images for prediction."
    )


def _greys(deepest: int) -> int:
    return (deepest >> 8) + 1
