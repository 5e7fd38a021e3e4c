"""The page of `zoo check --report`: one HTML file with the findings and thumbnails.

It needs no network and runs no script, and texts from the data, such as the names of
files, are escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from PIL import Image

from pipelines.audit.audit import Audit
from pipelines.audit.findings import Finding
from pipelines.data.images.thumbnails import as_jpeg, thumbnail
from pipelines.data.splits import ImageFiles, ImageRecords
from pipelines.display.html import document

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
                jpeg = as_jpeg(picture, quality=_QUALITY)
                jpegs.append(base64.b64encode(jpeg).decode("ascii"))
        return jpegs

    def _picture(self, example: int) -> Image.Image | None:
        inputs = self._audit.examples.inputs
        if isinstance(inputs, ImageFiles | ImageRecords):
            inspection = self._audit.inspections[example]
            if inspection.bad and not inspection.kind:
                return None  # not an image, or one that cannot be opened
        return thumbnail(inputs, example, size_px=_THUMBNAIL_PX)
