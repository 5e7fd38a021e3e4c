"""The features of the examples that a few-shot classifier knows, kept by class.

As `zoo add-class` keeps them: in float16, with the sha256 of each example. A head is
solved anew from all of them, so that a class that comes or goes, or an example that is
forgotten, gives what a fit to the examples that are left gives, to the last bit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.data.names import choices
from pipelines.errors import ConfigError, DataError


@dataclasses.dataclass(frozen=True, eq=False)
class ClassRows:
    """The features of one class `[n, width]`, and the sha256 of its examples, `S64`."""

    features: np.ndarray
    contents: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Kept:
    """The features of all classes by name, in the order of the names."""

    classes: Mapping[str, ClassRows]

    def __post_init__(self) -> None:
        ordered = {name: self.classes[name] for name in sorted(self.classes)}
        object.__setattr__(self, "classes", ordered)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes in order."""
        return tuple(self.classes)

    @property
    def size_bytes(self) -> int:
        """The bytes of features and hashes."""
        return sum(
            rows.features.nbytes + rows.contents.nbytes
            for rows in self.classes.values()
        )

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """The features of all examples `[n, width]`, and their labels `[n]`."""
        parts = [rows.features for rows in self.classes.values()]
        labels = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        return np.concatenate(parts), labels

    def added(self, name: str, new: ClassRows) -> Kept:
        """The same with one more class.

        Raises:
            ConfigError: if there is a class of this name.
            DataError: if an example has the content of one of another class.
        """
        if name in self.classes:
            raise ConfigError(
                f"There is a class '{name}' already. Remove it first, or choose another"
                " name."
            )
        for other, rows in self.classes.items():
            shared = int(np.isin(new.contents, rows.contents).sum())
            if shared:
                raise DataError(
                    f"{shared} examples of '{name}' have the content of examples of"
                    f" '{other}'. One example cannot be of two classes: remove them"
                    " from the new data."
                )
        return Kept({**self.classes, name: new})

    def removed(self, name: str) -> Kept:
        """The same without a class.

        Raises:
            ConfigError: if it is unknown, or if fewer than two classes would be left.
        """
        if name not in self.classes:
            raise ConfigError(
                f"There is no class '{name}'. {choices(name, self.names)} Name one of"
                " these."
            )
        self._require_two_without(name)
        return Kept({other: at for other, at in self.classes.items() if other != name})

    def forgotten(self, content: bytes) -> Kept:
        """The same without the example of this sha256.

        Raises:
            DataError: if no example has it, or if it is the last one of its class.
        """
        for name, rows in self.classes.items():
            stays = rows.contents != content
            if stays.all():
                continue
            if not stays.any():
                raise DataError(
                    f"It is the only example of '{name}'. Remove the class instead,"
                    f" with remove_class('{name}')."
                )
            left = ClassRows(rows.features[stays], rows.contents[stays])
            return Kept({**self.classes, name: left})
        raise DataError(
            "No example that was learned has this content. Pass it as it was: the same"
            " file, or the same numbers."
        )

    def _require_two_without(self, name: str) -> None:
        if len(self.classes) < 3:
            raise ConfigError(
                f"Without '{name}' only one class would be left, and a classifier needs"
                " at least two. Add a class before."
            )


def by_class(
    features: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    contents: Sequence[bytes],
) -> Kept:
    """The features of a labelled data set, by the name of the class."""
    hashes = np.array(list(contents), "S64")
    return Kept(
        {
            name: ClassRows(features[labels == i], hashes[labels == i])
            for i, name in enumerate(names)
        }
    )
