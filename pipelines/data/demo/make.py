"""`zoo demo`: a folder of real labelled data that is complete or not there."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.data.demo.photos import PHOTOS
from pipelines.data.demo.series import SERIES
from pipelines.data.demo.sounds import SOUNDS
from pipelines.data.demo.table import TABLE
from pipelines.data.demo.texts import TEXTS
from pipelines.data.names import natural_key
from pipelines.data.reference import DatasetRef
from pipelines.errors import ConfigError
from pipelines.runtime.files import require_empty
from zoo.storage import durable
from zoo.storage.home import expanded

KINDS = {
    "photos": PHOTOS,
    "texts": TEXTS,
    "series": SERIES,
    "sounds": SOUNDS,
    "table": TABLE,
}
README = "README.txt"
FEWEST = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Demo:
    """The data that were made: their reference, origin, and the next commands."""

    kind: str
    folder: str
    data: str
    counts: Mapping[str, int]
    origin: str
    licence: str
    next: tuple[str, ...]

    @property
    def examples(self) -> int:
        """The number of examples of all classes."""
        return sum(self.counts.values())


def make(kind: str, folder: Path, *, limit: int | None = None) -> Demo:
    """Writes the data of a kind of `KINDS`, at most `limit` examples of a class.

    The same kind and limit always give the same files.

    Raises:
        ConfigError: if the limit is below 3, or the folder has something in it or
            cannot be written.
        DataError: if the data are not on this machine and cannot be fetched.
    """
    if limit is not None and limit < FEWEST:
        raise ConfigError(
            f"--limit is {limit}; it must be {FEWEST} or more: a run needs an example"
            " of each class to train, to validate and to test."
        )
    source = KINDS[kind]
    target = expanded(folder).absolute()
    require_empty(target)
    files = tuple(file.obtain() for file in source.files)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with durable.publish_folder(target) as unfinished:
            counts = source.write(files, unfinished, limit or source.default_limit)
            demo = _described(kind, folder, counts)
            (unfinished / README).write_text(_readme(demo), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written: {error.strerror}. Name another folder with"
            " --to."
        ) from error
    return demo


def _described(kind: str, folder: Path, counts: Mapping[str, int]) -> Demo:
    source = KINDS[kind]
    location = folder / source.data_file if source.data_file else folder
    options: dict[str, Any] = dict(source.options)
    data = str(DatasetRef(source.scheme, str(location), **options))
    train = ["zoo", "train", f"--config.data={data}", *source.train_flags]
    commands = [shlex.join([*train, f"--config.workdir=runs/{kind}"])]
    if source.backbone_to_fetch:
        commands.insert(0, f"zoo fetch {source.backbone_to_fetch}")
    return Demo(
        kind=kind,
        folder=str(folder),
        data=data,
        counts={name: counts[name] for name in sorted(counts, key=natural_key)},
        origin=source.origin,
        licence=source.licence,
        next=tuple(commands),
    )


def _readme(demo: Demo) -> str:
    lines = [
        f"{KINDS[demo.kind].summary}.",
        f"Origin: {demo.origin}.",
        f"Licence: {demo.licence}.",
        f"Made by `zoo demo {demo.kind}` of zootune: {demo.examples} examples,",
        *(f"  {name}: {count}" for name, count in demo.counts.items()),
    ]
    return "\n".join(lines) + "\n"
