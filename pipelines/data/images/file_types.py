"""The kinds of image files, by their first and last bytes; nothing is decoded."""

from __future__ import annotations

# The kinds that are read: their first bytes, and the endings of their names.
_READ = {
    "JPEG": (b"\xff\xd8\xff", (".jpg", ".jpeg")),
    "PNG": (b"\x89PNG", (".png",)),
    "GIF": (b"GIF8", (".gif",)),
    "BMP": (b"BM", (".bmp",)),
    "WebP": (b"RIFF", (".webp",)),
}
# Other kinds: a position, and the bytes there.
_NOT_READ = (
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "BigTIFF"),
    (0, b"MM\0+", "BigTIFF"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypheix", "HEIC"),
    (4, b"ftypmif1", "HEIF"),
    (4, b"jP  ", "JPEG 2000"),
    (4, b"JXL ", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\x01\0", "ICO"),
    (0, b"8BPS", "Photoshop file"),
    (0, b"%PDF", "PDF"),
    (0, b"<svg", "SVG"),
)
KINDS = tuple(_READ)
# Endings of names of kinds that Pillow may read.
CONVERTIBLE = frozenset({".tif", ".tiff", ".avif", ".jp2", ".j2k", ".ico", ".jfif"})
_END_OF_JPEG = b"\xff\xd9"
_END_OF_PNG = b"IEND"
_END_OF_GIF = b"\x3b"


def kind_of(content: bytes) -> str:
    """The kind, or an empty string for a file that is not a known image."""
    for kind, (first, _) in _READ.items():
        if content.startswith(first):
            return kind
    for start, sign, kind in _NOT_READ:
        if content[start : start + len(sign)] == sign:
            return kind
    return ""


def endings(kind: str) -> tuple[str, ...]:
    """The endings of names of this kind, the usual one first."""
    return _READ[kind][1]


def cut_short(content: bytes, kind: str) -> bool:
    """True if the mark at the end of the format is missing."""
    if kind == "JPEG":
        return _END_OF_JPEG not in content[-1024:]
    if kind == "PNG":
        return _END_OF_PNG not in content[-1024:]
    if kind == "GIF":
        return not content.rstrip(b"\0").endswith(_END_OF_GIF)
    stated = content[4:8] if kind == "WebP" else content[2:6]
    return len(content) < int.from_bytes(stated, "little")


def is_deep(content: bytes, kind: str) -> bool:
    """True for a PNG with 16 bits in each channel."""
    return kind == "PNG" and content[24:25] == b"\x10"


def is_indexed(content: bytes, kind: str) -> bool:
    """True for a PNG whose pixels are indices into a palette."""
    return kind == "PNG" and content[25:26] == b"\x03"
