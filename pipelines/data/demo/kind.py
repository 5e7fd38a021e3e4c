"""The facts about a set of demo data, apart from the writing of its files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from pipelines.data.demo.carried import CarriedFile


@dataclasses.dataclass(frozen=True, slots=True)
class DemoKind:
    """A kind of data that `zoo demo` makes.

    `write` takes the paths of `files`, an empty folder, and the most examples of a
    class; it gives the number of examples of each class. `data_file` is the file in
    that folder that a reference of `scheme` names, empty for the folder itself;
    the reference has `options`.
    """

    summary: str
    origin: str
    licence: str
    files: tuple[CarriedFile, ...]
    default_limit: int
    scheme: str
    data_file: str
    train_flags: tuple[str, ...]
    write: Callable[[tuple[Path, ...], Path, int], Mapping[str, int]]
    backbone_to_fetch: str = ""
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)
