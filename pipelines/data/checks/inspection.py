"""What a look at one encoded image found, as plain data."""

from __future__ import annotations

import dataclasses
import json

# How what is odd begins; of these a converted copy would be no better.
WRONG_EXTENSION = "wrong extension"
SMALL = "smaller than"
NOT_OPENED = "Pillow cannot open it"
_STAYS = (WRONG_EXTENSION, SMALL, NOT_OPENED)


@dataclasses.dataclass(frozen=True, slots=True)
class Inspection:
    """Why an image is bad, or else its hashes, its size, and what is odd about it.

    `content` is the sha256 of the bytes, and `appearance` 64 bits that are nearly the
    same for pictures that look the same. The size is that of the decoded picture. What
    is bad is `whole` if the file is in order and only of a kind that is not read.
    `deepest` is the largest value of an image of 16 bits in each channel, and 0 of any
    other.
    """

    bad: str = ""
    kind: str = ""
    content: str = ""
    appearance: int = 0
    width_px: int = 0
    height_px: int = 0
    odd: tuple[str, ...] = ()
    whole: bool = True
    deepest: int = 0

    @property
    def is_to_convert(self) -> bool:
        """Whether the picture is there and another file would say it more plainly."""
        if self.bad:
            return self.whole
        return any(not odd.startswith(_STAYS) for odd in self.odd)

    def to_json(self) -> str:
        size = (self.width_px, self.height_px)
        return json.dumps(
            (
                *(self.bad, self.kind, self.content, self.appearance),
                *(*size, self.odd, self.whole, self.deepest),
            )
        )

    @classmethod
    def from_json(cls, text: str) -> Inspection:
        """The look that `to_json` wrote.

        Raises:
            ValueError: if it did not.
        """
        *values, odd, whole, deepest = json.loads(text)
        bad, kind, content, appearance, width_px, height_px = values
        return cls(
            *(bad, kind, content, appearance, width_px, height_px),
            odd=tuple(odd),
            whole=whole,
            deepest=deepest,
        )
