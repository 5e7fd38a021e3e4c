"""The file that `zoo shard` writes beside its records: their classes and origin."""

from __future__ import annotations

import dataclasses
import glob
import json
from pathlib import Path

import numpy as np

from pipelines.data.splits import Examples
from pipelines.display.text import shown
from pipelines.errors import DataError
from zoo.storage.home import expanded

NAME = "zoo_shards.json"
FORMAT = 1
_FILES = "*/*.tfrecord"


@dataclasses.dataclass(frozen=True)
class Sidecar:
    """The contents of `zoo_shards.json`.

    `counts` is examples per split and class name; `fingerprint` and `reference` are of
    the data that the records were made of. Records that are `weighted` have a `weight`.
    """

    class_names: tuple[str, ...]
    modality: str
    counts: dict[str, dict[str, int]]
    fingerprint: str
    reference: str
    format: int = FORMAT
    weighted: bool = False

    def write(self, folder: Path) -> None:
        """Writes the file into the folder."""
        text = json.dumps(dataclasses.asdict(self), indent=2) + "\n"
        (folder / NAME).write_text(text, encoding="utf-8")

    def require_all(self, examples: Examples, location: str) -> None:
        """Checks that no example is missing.

        Raises:
            DataError: with the present and the written count.
        """
        written = sum(sum(split.values()) for split in self.counts.values())
        if len(examples) != written:
            raise DataError(
                f"{shown(location)} holds {len(examples)} records, and {written} were"
                " written. Restore the files that are missing, or write them again."
            )
        counts = np.bincount(examples.labels, minlength=len(self.class_names))
        for name, count in zip(self.class_names, counts):
            expected = sum(split[name] for split in self.counts.values())
            if count != expected:
                raise DataError(
                    f"{shown(location)} holds {count} records of class {name!r}, and"
                    f" {expected} were written. Restore the files, or write them again."
                )


def locate(location: str) -> tuple[str, Sidecar | None]:
    """The pattern of the files, and their sidecar if there is one.

    The location is a folder that `zoo shard` wrote, or a pattern of files, whose
    folder, or the one above it, may be one.

    Raises:
        DataError: if the file is there and cannot be understood.
    """
    path = expanded(location).absolute()
    if (path / NAME).is_file():
        # The folder is meant as it stands, whatever brackets it has.
        return f"{glob.escape(str(path))}/{_FILES}", _read(path / NAME)
    for folder in path.parents[:2]:
        if (folder / NAME).is_file():
            return location, _read(folder / NAME)
    return location, None


def _read(path: Path) -> Sidecar:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] != FORMAT:
            raise DataError(
                f"{path} has the format {values['format']!r}; this version reads"
                f" {FORMAT}. Install the version of zootune that wrote it."
            )
        values["class_names"] = tuple(values["class_names"])
        if not all(isinstance(name, str) for name in values["class_names"]):
            raise TypeError("class_names are not all texts")
        return Sidecar(**values)
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path} cannot be understood ({error}). Restore it, or write the records"
            " again with 'zoo shard'."
        ) from None
