"""`hf:` - a data set of Hugging Face, saved on disk or known to the library by name."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.data.in_memory.frames import COLUMNS
from pipelines.data.in_memory.passed import Passed
from pipelines.data.in_memory.referenced import passed_of
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Examples
from pipelines.data.targets.choice import SINGLE_LABEL
from pipelines.display.text import shown
from pipelines.errors import DataError
from zoo.storage.home import expanded

# Images are in a temporary file for as long as somebody may read them.
_KEPT = 8
_SAVED = ("dataset_info.json", "dataset_dict.json")


def read(ref: DatasetRef, *, problem: str = SINGLE_LABEL) -> Examples:
    """The examples of a data set, with the splits that it has.

    The location is a folder of `save_to_disk`, or a name that `datasets.load_dataset`
    takes, which may download it. Columns follow from its features, unless the reference
    names them.

    Raises:
        DataError: if the library or the data set is missing, or as for data sets that
            are passed in Python.
    """
    data = _loaded(ref.location)
    named = {name: getattr(ref, name) for name in COLUMNS if getattr(ref, name, None)}
    passed = _passed(_Key(data, tuple(sorted(named.items()))))
    return passed.examples(on_bad=ref.on_bad, problem=problem)


class _Key:
    """A data set and the columns of it that are read, equal where the content is."""

    def __init__(self, data: Any, named: tuple[tuple[str, str], ...]) -> None:
        self.data, self.named = data, named
        parts = data.items() if isinstance(data, Mapping) else [("", data)]
        self._content = (
            tuple((str(name), part._fingerprint) for name, part in parts),
            named,
        )

    def __hash__(self) -> int:
        return hash(self._content)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._content == other._content


@functools.lru_cache(maxsize=_KEPT)
def _passed(key: _Key) -> Passed:
    return passed_of(key.data, dict(key.named))


def _loaded(location: str) -> Any:
    """The data set, or a dict of its splits."""
    try:
        # Its bars would write between ours.
        os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
        import datasets
    except ImportError as error:
        raise DataError(
            "'hf:' reads data sets with the library of Hugging Face, which is not"
            " installed: pip install 'zootune[huggingface]'."
        ) from error
    folder = expanded(location)
    try:
        if any((folder / name).is_file() for name in _SAVED):
            return datasets.load_from_disk(str(folder))
        if folder.exists() or Path(location).is_absolute():
            raise DataError(
                f"{shown(location)} is not a data set that `save_to_disk` wrote: it has"
                f" neither {' nor '.join(_SAVED)}. For a folder of images write"
                f" 'dir:{shown(location)}'."
            )
        return datasets.load_dataset(location)
    except (OSError, ValueError, RuntimeError) as error:
        # The library has no error of its own for what is missing, broken or offline.
        raise DataError(
            f"The data set {shown(location)!r} cannot be loaded: {error}. Name a folder"
            " that `save_to_disk` wrote, or a data set that the library has cached."
        ) from error
