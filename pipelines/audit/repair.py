"""Copies a folder of images without its problems."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipelines.audit.audit import Audit
from pipelines.data.checks.inspect_files import inspect_files
from pipelines.data.checks.inspection import Inspection
from pipelines.data.images import exif, file_types
from pipelines.data.names import free_name
from pipelines.data.splits import ImageFiles
from pipelines.errors import ConfigError, DataError
from zoo.storage import durable
from zoo.storage.home import expanded

LIST = "fixed.json"
# The split whose copy of a picture is kept: evaluation stays as it was.
_KEPT_FIRST = ("test", "validation", "train", "")
_QUALITY = 95


@dataclasses.dataclass(frozen=True, slots=True)
class Repair:
    """The action on a file: `copied`, `renamed`, `converted` or `left out`.

    `to` is its name in the copy, and `why` its problem.
    """

    file: str
    action: str
    to: str = ""
    why: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class _Source:
    path: Path
    name: str
    class_name: str
    split: str
    inspection: Inspection


@dataclasses.dataclass(frozen=True, slots=True)
class _Copy:
    """One file for the copy; without content it is left out."""

    source: _Source
    repair: Repair
    suffix: str = ""
    content_hash: str = ""


def repair(audit: Audit, source: Path, target: Path) -> tuple[Repair, ...]:
    """Copies the images of an audited folder into a new one of the same layout.

    Sound files are copied as they are; a name with a wrong ending gets the right one.
    A picture that is turned, transparent, animated, in CMYK, of 16 bits, with a
    palette, or of a kind that only Pillow reads becomes a plain one: JPEG where it was
    JPEG, PNG otherwise. One of several copies in a class is kept, none of copies in two
    classes. Broken files are left out. `fixed.json` in the target lists every file.

    Raises:
        ConfigError: if the target has something in it, or lies inside the source.
        DataError: if nothing is left, or the target cannot be written.
    """
    source, target = expanded(source).absolute(), expanded(target).absolute()
    _require_elsewhere(source, target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with durable.publish_folder(target) as unfinished:
            done = _write_all(audit, source, unfinished)
    except OSError as error:
        raise DataError(f"{target} cannot be written: {error.strerror}.") from error
    return done


def counts(done: Sequence[Repair]) -> Mapping[str, int]:
    """The number of files for each action."""
    return Counter(repair.action for repair in done)


def _require_elsewhere(source: Path, target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(
            f"--fix writes into a new folder, and {target} has something in it. Name"
            " another one."
        )
    real_source, real_target = source.resolve(), target.resolve()
    if real_target.is_relative_to(real_source) or real_source.is_relative_to(
        real_target
    ):
        raise ConfigError(
            f"--fix never changes what it reads, and {target} and {source} lie inside"
            " each other. Name a folder elsewhere."
        )


def _write_all(audit: Audit, source: Path, folder: Path) -> tuple[Repair, ...]:
    parts = folder / ".parts"
    parts.mkdir()
    limit = audit.maximum_megapixels
    numbered = list(enumerate(_sources(audit, source)))
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        copies = list(
            threads.map(
                lambda item: _prepare(item[1], parts / str(item[0]), limit), numbered
            )
        )
    repeated = _repeated(copies)
    taken: set[str] = set()
    done = []
    for i, copy in enumerate(copies):
        outcome = copy.repair
        if i in repeated:
            outcome = dataclasses.replace(outcome, action="left out", why=repeated[i])
        if outcome.action != "left out":
            outcome = dataclasses.replace(outcome, to=_name_in_copy(copy, taken))
            to = folder / outcome.to
            to.parent.mkdir(parents=True, exist_ok=True)
            (parts / str(i)).replace(to)
        done.append(outcome)
    shutil.rmtree(parts)
    if not taken:
        raise DataError(f"Nothing in {source} is left to be copied.")
    files = [dataclasses.asdict(item) for item in done]
    listed = {"source": str(source), "counts": counts(done), "files": files}
    (folder / LIST).write_text(json.dumps(listed, indent=2) + "\n")
    return tuple(done)


def _sources(audit: Audit, root: Path) -> Iterator[_Source]:
    examples = audit.examples
    if audit.folder is None or not isinstance(examples.inputs, ImageFiles):
        raise ConfigError(
            f"--fix copies folders of images; {audit.reference} is not one."
        )
    for i, path in enumerate(examples.inputs.paths):
        yield _Source(
            path=Path(path),
            name=examples.names[i],
            class_name=examples.class_names[examples.labels[i]],
            split=examples.splits[i] if examples.splits else "",
            inspection=audit.inspections[i],
        )
    left_out = audit.folder.left_out
    inspections = inspect_files(
        [str(file.path) for file in left_out],
        maximum_megapixels=audit.maximum_megapixels,
    )
    for file, inspection in zip(left_out, inspections, strict=True):
        name = file.path.relative_to(root).as_posix()
        yield _Source(file.path, name, file.class_name, file.split, inspection)


def _prepare(source: _Source, part: Path, maximum_megapixels: float) -> _Copy:
    """Writes the copy of a file to `part`, unless it is left out."""
    inspection = source.inspection
    why = inspection.bad or "; ".join(inspection.odd)
    if inspection.bad and not inspection.whole:
        return _Copy(source, Repair(source.name, "left out", why=why))
    action, kind = "copied", inspection.kind
    try:
        content = source.path.read_bytes()
        if inspection.is_to_convert:
            action, kind = "converted", "JPEG" if kind == "JPEG" else "PNG"
            content = _plain(content, kind, maximum_megapixels)
    except (OSError, _NotPlainError) as error:
        why = f"{why}; not converted ({error})"
        return _Copy(source, Repair(source.name, "left out", why=why))
    endings, suffix = file_types.endings(kind), source.path.suffix
    if action == "copied" and suffix.lower() not in endings:
        action = "renamed"
    part.write_bytes(content)
    return _Copy(
        source,
        Repair(source.name, action, why=why),
        suffix=suffix if suffix.lower() in endings else endings[0],
        content_hash=hashlib.sha256(content).hexdigest(),
    )


class _NotPlainError(ValueError):
    """A picture that cannot be made plain."""


def _plain(content: bytes, kind: str, maximum_megapixels: float) -> bytes:
    """The first frame as a person sees it, upright and on white, in RGB of 8 bits."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > maximum_megapixels * 1e6:
                raise _NotPlainError(f"more than {maximum_megapixels:g} million pixels")
            upright = exif.upright(_eight_bits(image), content)
            rgb = _on_white(upright)
    except _NotPlainError:
        raise
    # Pillow raises many kinds of errors, for each kind of file its own.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _NotPlainError(str(error)) from error
    buffer = io.BytesIO()
    options: dict[str, Any] = {}
    if kind == "JPEG":
        options = {"quality": _QUALITY, "subsampling": 0}
    rgb.save(buffer, kind, **options)
    return buffer.getvalue()


def _eight_bits(image: Image.Image) -> Image.Image:
    """The upper 8 of 16 bits, as in TensorFlow; Pillow would cut at 255."""
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise _NotPlainError("grey values of more than 16 bits")
        return Image.fromarray((values >> 8).astype(np.uint8))
    if image.mode == "F":
        raise _NotPlainError("floating point values, which have no agreed range")
    return image


def _on_white(image: Image.Image) -> Image.Image:
    if "A" not in image.getbands() and "transparency" not in image.info:
        return _without_info(image.convert("RGB"))
    above = image.convert("RGBA")
    white = Image.new("RGBA", above.size, "white")
    return _without_info(Image.alpha_composite(white, above).convert("RGB"))


def _without_info(image: Image.Image) -> Image.Image:
    """The image without Exif and profiles, which belong to the old file."""
    image.info.clear()
    return image


def _repeated(copies: Sequence[_Copy]) -> dict[int, str]:
    """The copies to leave out because another is the same, and why."""
    same: dict[str, list[int]] = defaultdict(list)
    for i, copy in enumerate(copies):
        if copy.content_hash:
            same[copy.content_hash].append(i)
    reasons: dict[int, str] = {}
    for group in same.values():
        sources = [copies[i].source for i in group]
        if len({source.class_name for source in sources}) > 1:
            names = " = ".join(source.name for source in sources)
            reasons |= dict.fromkeys(group, f"the same content in two classes: {names}")
            continue
        kept = min(group, key=lambda i: _KEPT_FIRST.index(copies[i].source.split))
        why = f"the same content as {copies[kept].source.name}"
        reasons |= {i: why for i in group if i != kept}
    return reasons


def _name_in_copy(copy: _Copy, taken: set[str]) -> str:
    """The name of a copy: the old one, or the nearest that is free."""
    old = Path(copy.source.name)
    return free_name(old.with_name(old.stem).as_posix(), taken, suffix=copy.suffix)
