"""The page of `zoo check --report`: one HTML file with the findings and thumbnails.

It needs no network and runs no script, and texts from the data, such as the names of
files, are escaped.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from pipelines.audit.audit import Audit
from pipelines.audit.findings import Finding
from pipelines.data.images import exif
from pipelines.data.images.encoded import encoded_bytes
from pipelines.data.splits import ImageArray, ImageFiles, ImageRecords
from pipelines.display.html import document
from pipelines.errors import DataError

# Bounds of the page, which keep it below some megabytes.
_SHOWN_PER_FINDING = 24
_SHOWN_PER_ENTRY = 4
_THUMBNAILS = 400
_THUMBNAIL_PX = 112
_QUALITY = 60


def page(audit: Audit, *, most_thumbnails: int = _THUMBNAILS) -> str:
    """The page as HTML, in ASCII, with at most `most_thumbnails` pictures."""
    thumbnails = _Thumbnails(audit, most_thumbnails)
    return document(
        "audit.html",
        title=audit.reference,
        examples=len(audit.examples),
        counts=audit.counts,
        fit=audit.is_fit_to_train,
        findings=[_finding(finding, thumbnails) for finding in audit.findings],
    )


def _finding(finding: Finding, thumbnails: _Thumbnails) -> dict[str, Any]:
    members = finding.members or ((),) * len(finding.about)
    shown = list(zip(finding.about, members))[:_SHOWN_PER_FINDING]
    return {
        "severity": finding.severity,
        "what": finding.problem,
        "count": len(finding.about),
        "entries": [
            {
                "about": about,
                "pictures": thumbnails.jpegs(examples[:_SHOWN_PER_ENTRY]),
            }
            for about, examples in shown
        ],
        "more": len(finding.about) - len(shown),
    }


class _Thumbnails:
    """Small pictures of examples, `most` of them at most."""

    def __init__(self, audit: Audit, most: int) -> None:
        self._audit = audit
        self._left = most

    def jpegs(self, examples: Sequence[int]) -> list[str]:
        """The pictures of examples that have one, as JPEG in base 64."""
        jpegs = []
        for example in examples:
            picture = self._picture(example) if self._left > 0 else None
            if picture is not None:
                self._left -= 1
                buffer = io.BytesIO()
                picture.save(buffer, "JPEG", quality=_QUALITY)
                jpegs.append(base64.b64encode(buffer.getvalue()).decode("ascii"))
        return jpegs

    def _picture(self, example: int) -> Image.Image | None:
        inputs = self._audit.examples.inputs
        if isinstance(inputs, ImageArray):
            return _small(Image.fromarray(np.asarray(inputs.pixels[example])))
        if not isinstance(inputs, ImageFiles | ImageRecords):
            return None
        inspection = self._audit.inspections[example]
        if inspection.bad and not inspection.kind:
            return None  # not an image, or one that cannot be opened
        try:
            content = encoded_bytes(inputs, example)
            with Image.open(io.BytesIO(content)) as image:
                if image.width * image.height > self._audit.maximum_megapixels * 1e6:
                    return None
                image.draft("RGB", (2 * _THUMBNAIL_PX, 2 * _THUMBNAIL_PX))
                return _small(exif.upright(image, content))
        # The page is about broken files, and each kind fails in its own way.
        except (
            *(DataError, OSError, ValueError, SyntaxError),
            Image.DecompressionBombError,
        ):
            return None


def _small(image: Image.Image) -> Image.Image:
    above = image.convert("RGBA")
    above.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
    white = Image.new("RGBA", above.size, "white")
    return Image.alpha_composite(white, above).convert("RGB")
