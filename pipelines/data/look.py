"""What a look at one encoded image found, as plain data."""

from __future__ import annotations

import dataclasses
import json


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """Why an image is bad, or else its hashes, its size, and what is odd about it.

    `content` is the sha256 of the bytes, and `appearance` 64 bits that are nearly the
    same for pictures that look the same. The size is that of the decoded picture.
    """

    bad: str = ""
    kind: str = ""
    content: str = ""
    appearance: int = 0
    width_px: int = 0
    height_px: int = 0
    odd: tuple[str, ...] = ()

    def to_json(self) -> str:
        size = (self.width_px, self.height_px)
        return json.dumps(
            (self.bad, self.kind, self.content, self.appearance, *size, self.odd)
        )

    @classmethod
    def from_json(cls, text: str) -> Look:
        """The look that `to_json` wrote.

        Raises:
            ValueError: if it did not.
        """
        bad, kind, content, appearance, width_px, height_px, odd = json.loads(text)
        return cls(bad, kind, content, appearance, width_px, height_px, tuple(odd))
