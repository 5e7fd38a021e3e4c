"""The inspection of one encoded image, as plain data."""

from __future__ import annotations

import dataclasses
import json

# Beginnings of oddities that a converted copy would have too.
WRONG_EXTENSION = "wrong extension"
SMALL = "smaller than"
NOT_OPENED = "Pillow cannot open it"
_STAYS = (WRONG_EXTENSION, SMALL, NOT_OPENED)


@dataclasses.dataclass(frozen=True, slots=True)
class Inspection:
    """The reason why an image is bad, or else its hashes, size and oddities.

    `content` is the sha256 of the bytes; `appearance` has 64 bits, nearly equal for
    pictures that look alike. The size is the size of the decoded picture. A bad image
    is `whole` if its file is in order and of a kind that is not read. `deepest` is the
    largest value of an image of 16 bits in each channel, and 0 for any other.
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
        """True if a plainer file could hold the picture."""
        if self.bad:
            return self.whole
        return any(not odd.startswith(_STAYS) for odd in self.odd)

    def to_json(self) -> str:
        """The fields as a JSON list, in the form that `from_json` reads."""
        size = (self.width_px, self.height_px)
        return json.dumps(
            (
                *(self.bad, self.kind, self.content, self.appearance),
                *(*size, self.odd, self.whole, self.deepest),
            )
        )

    @classmethod
    def from_json(cls, text: str) -> Inspection:
        """The inspection that `to_json` wrote.

        Raises:
            ValueError: if the text is anything else.
        """
        *values, odd, whole, deepest = json.loads(text)
        bad, kind, content, appearance, width_px, height_px = values
        return cls(
            *(bad, kind, content, appearance, width_px, height_px),
            odd=tuple(odd),
            whole=whole,
            deepest=deepest,
        )
