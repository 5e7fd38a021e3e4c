"""Inspects many files in parallel, and only files that have changed."""

from __future__ import annotations

import dataclasses
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

from pipelines.data.checks import inspection_cache
from pipelines.data.checks.inspection import Inspection
from pipelines.data.checks.inspection_cache import InspectionCache, Stamp
from pipelines.data.reference import MAXIMUM_BYTES_PER_PIXEL
from pipelines.data.splits import EncodedImages, ImageFiles, ImageRecords
from pipelines.runtime.startup import start_tensorflow

OnProgress = Callable[[int, int], None]

# Files handed to the threads at a time: enough to keep them busy, and few enough that a
# folder of millions does not become millions of waiting jobs.
_WINDOW = 1024


@dataclasses.dataclass(frozen=True, slots=True)
class _Fresh:
    """A new inspection; without a stamp it is not kept in the cache."""

    inspection: Inspection
    stamp: Stamp | None = None


def inspect_images(
    images: EncodedImages,
    *,
    use_cache: bool = True,
    on_progress: OnProgress | None = None,
) -> Iterator[Inspection]:
    """An inspection of every image, in order; those of files are cached."""
    if isinstance(images, ImageFiles):
        yield from inspect_files(
            images.paths,
            maximum_megapixels=images.maximum_megapixels,
            use_cache=use_cache,
            on_progress=on_progress,
        )
        return
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        for start in range(0, len(images), _WINDOW):
            window = range(start, min(start + _WINDOW, len(images)))
            inspections = threads.map(lambda i: _inspect_record(images, i), window)
            for i, inspection in zip(window, inspections):
                yield inspection
                if on_progress is not None:
                    on_progress(i + 1, len(images))


def inspect_files(
    paths: Sequence[str],
    *,
    maximum_megapixels: float,
    use_cache: bool = True,
    on_progress: OnProgress | None = None,
) -> Iterator[Inspection]:
    """An inspection of every file, in order.

    Files that have not changed since their last inspection are not read, unless
    `use_cache` is false; then all are read, and the cache is renewed. TensorFlow is
    imported when the first file is read. `on_progress(done, total)` is
    called from this thread.
    """
    done = 0
    with (
        inspection_cache.opened(maximum_megapixels=maximum_megapixels) as cache,
        ThreadPoolExecutor(max_workers=os.cpu_count()) as threads,
    ):
        for start in range(0, len(paths), _WINDOW):
            window = paths[start : start + _WINDOW]
            known = _known(cache, window) if cache and use_cache else {}
            for inspection in _window(
                threads, window, known, cache, maximum_megapixels
            ):
                done += 1
                yield inspection
                if on_progress is not None:
                    on_progress(done, len(paths))
        if cache and cache.has_written:
            cache.forget_old()


def _window(
    threads: Executor,
    paths: Sequence[str],
    known: dict[str, Inspection],
    cache: InspectionCache | None,
    maximum_megapixels: float,
) -> Iterator[Inspection]:
    new = [path for path in paths if path not in known]
    fresh_ones = _inspect_all(threads, new, maximum_megapixels)
    fresh: dict[str, tuple[Stamp, Inspection]] = {}
    for path in paths:
        if path in known:
            yield known[path]
            continue
        inspected = next(fresh_ones)
        if inspected.stamp is not None:
            fresh[path] = inspected.stamp, inspected.inspection
        yield inspected.inspection
    if cache and fresh:
        cache.keep(fresh)


def _known(cache: InspectionCache, paths: Sequence[str]) -> dict[str, Inspection]:
    stamps = {}
    for path in paths:
        try:
            stamps[path] = inspection_cache.stamp_of(Path(path).stat())
        except (OSError, ValueError):
            continue  # its inspection says why
    return cache.find(stamps)


def _inspect_all(
    threads: Executor, paths: Sequence[str], maximum_megapixels: float
) -> Iterator[_Fresh]:
    if not paths:
        return iter(())
    if "tensorflow" not in sys.modules:
        start_tensorflow()
    return threads.map(lambda path: _inspect_file(path, maximum_megapixels), paths)


def _inspect_file(path: str, maximum_megapixels: float) -> _Fresh:
    from pipelines.data.checks.inspect_image import inspect_image

    inspected_ns = time.time_ns()
    try:
        with open(path, "rb", opener=open_without_waiting) as stream:
            before = os.fstat(stream.fileno())
            if not stat.S_ISREG(before.st_mode):
                return _Fresh(Inspection(bad="a pipe, not a file", whole=False))
            if before.st_size > MAXIMUM_BYTES_PER_PIXEL * maximum_megapixels * 1e6:
                reason = _too_large(before.st_size, maximum_megapixels)
                return _Fresh(Inspection(bad=reason, whole=False))
            content = stream.read()
            after = os.fstat(stream.fileno())
    except OSError as error:
        reason = f"cannot be read ({_system_reason(path, error)})"
        return _Fresh(Inspection(bad=reason, whole=False))
    inspection = inspect_image(
        content, suffix=Path(path).suffix, maximum_megapixels=maximum_megapixels
    )
    stamp = inspection_cache.stamp_of(after)
    is_same = inspection_cache.stamp_of(before) == stamp
    may_keep = is_same and inspection_cache.is_settled(stamp, inspected_ns=inspected_ns)
    return _Fresh(inspection, stamp if may_keep else None)


def _inspect_record(images: ImageRecords, i: int) -> Inspection:
    from pipelines.data.checks.inspect_image import inspect_image
    from pipelines.data.images.encoded import encoded_bytes

    limit = images.maximum_megapixels
    return inspect_image(
        encoded_bytes(images, i), suffix=None, maximum_megapixels=limit
    )


def _too_large(size_bytes: int, maximum_megapixels: float) -> str:
    return (
        f"a file of {size_bytes / 1e6:.0f} MB, more than any picture of"
        f" {maximum_megapixels:g} million pixels has"
    )


def open_without_waiting(path: str, flags: int) -> int:
    """Opens a file; the usual way would wait for the writer of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _system_reason(path: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError) and Path(path).is_symlink():
        return "a link to nothing"
    return (error.strerror or str(error)).lower()
