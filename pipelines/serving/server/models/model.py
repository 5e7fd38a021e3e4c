"""A model, its versions and their states, and the way that a request names one."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
from collections.abc import Iterator

from pipelines.serving.server.errors import Code
from pipelines.serving.server.models.batcher import Batcher
from pipelines.serving.server.models.model_config import ModelConfig
from pipelines.serving.server.models.servable import Servable
from pipelines.serving.server.models.version_folders import Fingerprint


class State(enum.IntEnum):
    """The states of `ModelVersionStatus`."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclasses.dataclass
class Version:
    """One version of a model, its state and its last error."""

    number: int
    state: State = State.START
    code: Code = Code.OK
    message: str = ""
    loaded: Loaded | None = None
    in_flight: int = 0
    tries: int = 0
    tried_at: float = 0.0
    fingerprint: Fingerprint = ()
    # The error that was logged, once for all tries.
    logged: str = ""


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A version that answers requests."""

    version: Version
    servable: Servable
    batcher: Batcher

    @property
    def number(self) -> int:
        """The number of the version."""
        return self.version.number

    @contextlib.contextmanager
    def held(self) -> Iterator[Loaded]:
        """Keeps the version loaded while a request is answered."""
        self.version.in_flight += 1
        try:
            yield self
        finally:
            self.version.in_flight -= 1


class Model:
    """A configured model and its versions by number."""

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        self.versions: dict[int, Version] = {}
        # Why its base path cannot be read, while that is so.
        self.trouble = ""

    @property
    def loaded(self) -> dict[int, Loaded]:
        """The versions that answer, the newest last."""
        return {
            number: version.loaded
            for number, version in sorted(self.versions.items())
            if version.loaded is not None and version.state == State.AVAILABLE
        }

    @property
    def is_letting_go(self) -> bool:
        """True if a version is still in memory that is not served any more."""
        return any(v.state == State.UNLOADING for v in self.versions.values())


@dataclasses.dataclass(frozen=True)
class Target:
    """The model that a request means, by version, by label, or the newest."""

    name: str
    version: int | None = None
    label: str | None = None

    def __str__(self) -> str:
        if self.version is None:
            return f"Latest({self.name})"
        return f"Specific({self.name}, {self.version})"
