"""`zoo check`: everything about a data set that could hurt, file by file.

Reads every example once, as training will, and trains nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagehash
import numpy as np
import tensorflow as tf
from PIL import Image, UnidentifiedImageError

from pipelines.data import checks
from pipelines.data.checks import OnProgress
from pipelines.data.findings import Finding, class_findings, group_by_reason
from pipelines.data.images import decode, resize
from pipelines.data.load import read
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import EncodedImages, Examples, ImageFiles, ImageRecords

# Differences of up to so many of the 64 bits are the same picture saved again, smaller
# or a little brighter: https://www.hackerfactor.com/blog/index.php?/archives/529
_NEAR_BITS = 3
_HASHED_PX = 32
_SMALL_PX = 32
_EXTENSIONS = {
    "JPEG": (".jpg", ".jpeg"),
    "MPO": (".jpg", ".jpeg"),  # a JPEG with a second picture behind it
    "PNG": (".png",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
}


@dataclasses.dataclass(frozen=True)
class Survey:
    """What was found. `counts` is examples per class; findings are worst first."""

    reference: str
    modality: str
    examples: int
    counts: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def is_fit_to_train(self) -> bool:
        return all(finding.severity != "error" for finding in self.findings)


@dataclasses.dataclass(frozen=True)
class _Seen:
    """What one file is: why it is bad, or else its hashes and what is odd about it."""

    bad: str = ""
    content: str = ""
    look: int = 0
    odd: tuple[str, ...] = ()


def survey(ref: DatasetRef, *, on_progress: OnProgress | None = None) -> Survey:
    """The survey of a data set; problems are findings, and not errors.

    Raises:
        DataError: if the reference names nothing that can be listed.
    """
    examples = read(ref)
    names = examples.class_names
    counts = np.bincount(examples.labels, minlength=len(names))
    if isinstance(examples.inputs, ImageFiles | ImageRecords):
        found = _of_files(examples, examples.inputs, on_progress)
    else:
        found = _of_contents(examples, checks.content_hashes(examples.inputs))
    per_class = dict(zip(names, map(int, counts)))
    every = [*found, *class_findings(per_class)]
    return Survey(
        reference=str(ref),
        modality=examples.inputs.modality,
        examples=len(examples),
        counts=per_class,
        findings=tuple(sorted(every, key=lambda one: one.rank)),
    )


def _of_files(
    examples: Examples, files: EncodedImages, on_progress: OnProgress | None
) -> Iterator[Finding]:
    seen = []
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        look_at = functools.partial(_look_at, files)
        for one in threads.map(look_at, range(len(files))):
            seen.append(one)
            if on_progress is not None:
                on_progress(len(seen), len(files))
    yield from group_by_reason(
        "error", "cannot be trained on", _pairs(examples, [(s.bad,) for s in seen])
    )
    yield from group_by_reason("note", "", _pairs(examples, [s.odd for s in seen]))
    good = [i for i, one in enumerate(seen) if not one.bad]
    kept = examples.take(np.array(good, np.int64))
    yield from _of_contents(kept, [seen[i].content for i in good])
    yield from _near(kept, [seen[i] for i in good])


def _pairs(
    examples: Examples, reasons: Sequence[Sequence[str]]
) -> Iterator[tuple[str, str]]:
    return (
        (reason, name)
        for name, several in zip(examples.names, reasons)
        for reason in several
        if reason
    )


def _look_at(files: EncodedImages, i: int) -> _Seen:
    content, reason = checks.read_encoded(files, i)
    if reason:
        return _Seen(bad=reason)
    try:
        pixels = decode(tf.constant(content))
    except tf.errors.OpError as error:
        return _Seen(bad=checks.decode_reason(content, error))
    path = Path(files.paths[i]) if isinstance(files, ImageFiles) else None
    small = Image.fromarray(resize(pixels, _HASHED_PX).numpy())
    bits = imagehash.dhash(small).hash.ravel()
    return _Seen(
        content=hashlib.sha256(content).hexdigest(),
        look=int("".join("1" if bit else "0" for bit in bits), 2),
        odd=tuple(_oddities(content, path)),
    )


def _oddities(content: bytes, path: Path | None) -> Iterator[str]:
    """What is unusual about a file that can be trained on."""
    try:
        image = Image.open(io.BytesIO(content))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError) as error:
        yield f"Pillow cannot open it ({error})"
        return
    kind = str(image.format)
    if path and path.suffix.lower() not in _EXTENSIONS.get(kind, ()):
        yield f"a {kind} whose name ends in {path.suffix or 'nothing'}"
    if min(image.size) < _SMALL_PX:
        yield f"smaller than {_SMALL_PX} px"
    if image.getexif().get(0x0112, 1) != 1:
        turned = kind in ("JPEG", "MPO")
        yield "turned by its Exif" if turned else f"Exif turns this {kind}; we do not"
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        yield "transparent, shown on white"
    if image.mode == "CMYK":
        yield "in CMYK"
    if image.mode.startswith("I"):
        yield "of 16 bits, of which the upper 8 are used"
    if getattr(image, "n_frames", 1) > 1 and kind != "MPO":
        yield "animated, of which the first frame is used"


def _of_contents(examples: Examples, hashes: Sequence[str]) -> Iterator[Finding]:
    """The same content more than once."""
    members: dict[str, list[int]] = defaultdict(list)
    for i, content in enumerate(hashes):
        members[content].append(i)
    yield from _repeated(examples, members.values(), "the same content")


def _near(examples: Examples, seen: Sequence[_Seen]) -> Iterator[Finding]:
    """Pictures that look the same and are not the same file."""
    first: dict[str, int] = {}
    for i, one in enumerate(seen):
        first.setdefault(one.content, i)
    groups = _groups_of_near([(i, seen[i].look) for i in first.values()])
    yield from _repeated(examples, groups, "nearly the same picture")


def _groups_of_near(looks: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Groups of indices whose 64 bits differ in at most `_NEAR_BITS`.

    Two that differ in three bits are equal in one of four quarters, so only those are
    compared.
    """
    quarters: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    leader: dict[int, int] = {}
    members: dict[int, list[int]] = {}
    for i, look in looks:
        keys = [(q, look >> 16 * q & 0xFFFF) for q in range(_NEAR_BITS + 1)]
        near = next(
            (
                leader[j]
                for key in keys
                for j, other in quarters[key]
                if (look ^ other).bit_count() <= _NEAR_BITS
            ),
            i,
        )
        leader[i] = near
        members.setdefault(near, []).append(i)
        for key in keys:
            quarters[key].append((i, look))
    return [group for group in members.values() if len(group) > 1]


def _repeated(
    examples: Examples, groups: Iterable[Sequence[int]], what: str
) -> Iterator[Finding]:
    """A finding for each way in which a repetition hurts, the worst that applies."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for group in groups:
        if len(group) < 2:
            continue
        shown = " = ".join(examples.names[i] for i in group)
        found[_harm(examples, group, what)].append(shown)
    for (severity, kind), several in found.items():
        yield Finding(severity, kind, tuple(several))


def _harm(examples: Examples, group: Sequence[int], what: str) -> tuple[str, str]:
    exact = what == "the same content"
    if examples.given and len({examples.given[i] for i in group}) > 1:
        return "error" if exact else "warning", f"{what} in two splits"
    if len({int(examples.labels[i]) for i in group}) > 1:
        return "warning", f"{what} in two classes"
    return "note", f"{what} in one class"
