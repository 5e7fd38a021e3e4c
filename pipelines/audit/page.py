"""The page of `zoo check --report`: one HTML file that shows what was found.

It needs no network and runs no script. Whatever comes from the data, such as the name
of a file, is escaped.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from pipelines.audit.audit import Audit
from pipelines.audit.findings import Finding
from pipelines.data.images import exif
from pipelines.data.images.encoded import encoded_bytes
from pipelines.data.splits import ImageArray, ImageFiles, ImageRecords
from pipelines.display.html import document, text
from pipelines.errors import DataError

# Bounds of the page: it stays below some megabytes, whatever is found.
_SHOWN_PER_FINDING = 24
_SHOWN_PER_ENTRY = 4
_THUMBNAILS = 400
_THUMBNAIL_PX = 112
_QUALITY = 60
_STYLE = """
.error { color: #a40000; } .warning { color: #8a5a00; } .note { color: #555; }
ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .8rem; }
li { width: 15rem; overflow-wrap: anywhere; font-size: .85rem; }
img { max-width: 7rem; max-height: 7rem; margin: 0 .3rem .2rem 0;
  border: 1px solid #ccc; }
"""


def page(audit: Audit) -> str:
    """The page as HTML, in ASCII."""
    thumbnails = _Thumbnails(audit)
    body = [
        f"<h1>{text(audit.reference)}</h1>",
        *_summary(audit),
        *(part for one in audit.findings for part in _finding(one, thumbnails)),
    ]
    return document(audit.reference, body, style=_STYLE)


def _summary(audit: Audit) -> Iterator[str]:
    yield f"<p>{len(audit.examples)} examples in {len(audit.counts)} classes.</p>"
    if not audit.is_fit_to_train:
        yield '<p class="error">A run would refuse these data.</p>'
    if not audit.findings:
        yield "<p>Nothing was found.</p>"
    yield "<table><tr><th>class</th><th>examples</th></tr>"
    for name, count in audit.counts.items():
        yield f'<tr><td>{text(name)}</td><td class="number">{count}</td></tr>'
    yield "</table>"


def _finding(finding: Finding, thumbnails: _Thumbnails) -> Iterator[str]:
    yield (
        f'<h2><span class="{finding.severity}">{finding.severity}</span>'
        f" {text(finding.what)} ({len(finding.about)})</h2><ul>"
    )
    for i, about in enumerate(finding.about[:_SHOWN_PER_FINDING]):
        members = finding.members[i] if finding.members else ()
        images = "".join(map(thumbnails.tag, members[:_SHOWN_PER_ENTRY]))
        yield f"<li>{images}<br>{text(about)}</li>"
    yield "</ul>"
    more = len(finding.about) - _SHOWN_PER_FINDING
    if more > 0:
        yield f"<p>and {more} more; <code>zoo check --json</code> lists all</p>"


class _Thumbnails:
    """Small pictures of examples, until there are enough of them for a page."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._left = _THUMBNAILS

    def tag(self, example: int) -> str:
        """An `img` element, or nothing where there is no picture."""
        if self._left <= 0:
            return ""
        picture = self._picture(example)
        if picture is None:
            return ""
        self._left -= 1
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=_QUALITY)
        data = base64.b64encode(buffer.getvalue()).decode("ascii")
        return f'<img alt="" src="data:image/jpeg;base64,{data}">'

    def _picture(self, example: int) -> Image.Image | None:
        inputs = self._audit.examples.inputs
        if isinstance(inputs, ImageArray):
            return _small(Image.fromarray(np.asarray(inputs.pixels[example])))
        if not isinstance(inputs, ImageFiles | ImageRecords):
            return None
        inspection = self._audit.inspections[example]
        if inspection.bad and not inspection.kind:
            return None  # no image, or nothing that can be opened
        try:
            content = encoded_bytes(inputs, example)
            with Image.open(io.BytesIO(content)) as image:
                if image.width * image.height > self._audit.maximum_megapixels * 1e6:
                    return None
                image.draft("RGB", (2 * _THUMBNAIL_PX, 2 * _THUMBNAIL_PX))
                return _small(exif.upright(image, content))
        # Broken files are what the page is about; each kind fails in its own way.
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
