"""The models that are served: versions found, loaded, resolved, and let go."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import enum
import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pipelines.errors import ArtifactError, ConfigError
from pipelines.serving.server.batcher import Batcher
from pipelines.serving.server.daemon import in_daemon_thread
from pipelines.serving.server.errors import Code, ServingError, invalid, not_found
from pipelines.serving.server.metrics import Metrics
from pipelines.serving.server.model_config import ModelConfig, to_unload, wanted
from pipelines.serving.server.servable import Servable, load
from pipelines.serving.server.settings import Loading

_logger = logging.getLogger("zootune.serve")
_NUMBER = re.compile(r"[0-9]{1,18}")
_REMEMBERED_ENDS = 32
_LETTING_GO_SECONDS = 0.02


class State(enum.IntEnum):
    """As in `ModelVersionStatus`."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclasses.dataclass
class Version:
    """One version of a model, and what became of it."""

    number: int
    state: State = State.START
    code: Code = Code.OK
    message: str = ""
    loaded: Loaded | None = None
    in_flight: int = 0
    tries: int = 0
    tried_at: float = 0.0
    fingerprint: tuple = ()


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A version that answers requests."""

    version: Version
    servable: Servable
    batcher: Batcher

    @property
    def number(self) -> int:
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

    @property
    def loaded(self) -> dict[int, Loaded]:
        """The versions that answer, the newest last."""
        return {
            number: version.loaded
            for number, version in sorted(self.versions.items())
            if version.loaded is not None and version.state == State.AVAILABLE
        }


@dataclasses.dataclass(frozen=True)
class Target:
    """Which model a request means: by version, by label, or the newest."""

    name: str
    version: int | None = None
    label: str | None = None

    def __str__(self) -> str:
        if self.version is None:
            return f"Latest({self.name})"
        return f"Specific({self.name}, {self.version})"


class Manager:
    """Keeps what is loaded as the configuration and the disk say it should be."""

    def __init__(
        self,
        loading: Loading,
        *,
        metrics: Metrics,
        batcher_of: Callable[[Servable], Batcher],
    ) -> None:
        self._loading = loading
        self._metrics = metrics
        self._batcher_of = batcher_of
        self._models: dict[str, Model] = {}
        self._changing = asyncio.Lock()
        self._letting_go: set[asyncio.Task] = set()

    @property
    def names(self) -> list[str]:
        return sorted(self._models)

    @property
    def is_ready(self) -> bool:
        """Whether every model has a version that answers."""
        return bool(self._models) and all(m.loaded for m in self._models.values())

    def resolve(self, target: Target) -> Loaded:
        """The version that answers a request.

        Raises:
            ServingError: if the model, the version or the label is not served.
        """
        model = self._models.get(target.name)
        if model is None:
            raise not_found(f"Servable not found for request: {target}")
        number = target.version
        if target.label is not None:
            number = model.config.labels.get(target.label)
            if number is None:
                raise invalid(f"Unrecognized servable version label: {target.label}")
        loaded = model.loaded
        if number is None and loaded:
            return loaded[max(loaded)]
        if number is None:
            raise ServingError(
                Code.UNAVAILABLE, f"No version of {target.name} is loaded yet."
            )
        if number not in loaded:
            raise not_found(f"Servable not found for request: {target}")
        return loaded[number]

    def status(self, target: Target) -> list[Version]:
        """The versions of a model, the newest first, or the one that is asked for."""
        model = self._models.get(target.name)
        if model is None:
            raise not_found(f"Could not find any versions of model {target.name}")
        if target.label is not None and target.label not in model.config.labels:
            raise invalid(f"Unrecognized servable version label: {target.label}")
        if target.version is None:
            return [model.versions[n] for n in sorted(model.versions, reverse=True)]
        if target.version not in model.versions:
            raise not_found(
                f"Could not find version {target.version} of model {target.name}"
            )
        return [model.versions[target.version]]

    async def apply(self, configs: Sequence[ModelConfig]) -> None:
        """Serves these models and no others; what was served stays until they can.

        Raises:
            ConfigError: if a folder is missing, or a label means no loaded version.
            ArtifactError: if a model has versions and none of them loads. Then
                everything is as it was.
        """
        async with self._changing:
            before = {name: model.config for name, model in self._models.items()}
            models = {config.name: self._candidate(config) for config in configs}
            try:
                for model in models.values():
                    await self._load_wanted(model)
                    _refuse_unservable(model)
            except (ConfigError, ArtifactError):
                for name, config in before.items():
                    self._models[name].config = config
                raise
            replaced = self._models
            self._models = models
            for name, model in replaced.items():
                if models.get(name) is not model:
                    self._let_go(model, list(model.loaded))
            for model in models.values():
                self._let_go_unwanted(model)

    def _candidate(self, config: ModelConfig) -> Model:
        if not config.base_path.is_dir():
            raise ConfigError(
                f"The base path of model {config.name} is {config.base_path}, which is"
                " no folder."
            )
        old = self._models.get(config.name)
        if old is None or old.config.base_path != config.base_path:
            return Model(config)
        old.config = config
        return old

    async def poll(self) -> None:
        """Looks once for versions that came, went, or may load by now."""
        async with self._changing:
            for model in self._models.values():
                await self._load_wanted(model)
                self._let_go_unwanted(model)

    async def close(self) -> None:
        for model in self._models.values():
            self._let_go(model, list(model.loaded))

    async def _load_wanted(self, model: Model) -> None:
        """Loads versions until every one that is wanted is there or has failed."""
        while True:
            found = versions_in(model.config.base_path)
            aspired = wanted(model.config.policy, found, self._broken(model, found))
            todo = [n for n in aspired if self._may_load(model, n, found[n])]
            if not todo:
                return
            await self._load(model, todo[0], found[todo[0]])

    def _broken(self, model: Model, found: dict[int, Path]) -> set[int]:
        return {
            number
            for number, one in model.versions.items()
            if one.code and number in found and not self._is_due(one, found[number])
        }

    def _may_load(self, model: Model, number: int, folder: Path) -> bool:
        version = model.versions.get(number)
        if version is None or (version.state == State.END and not version.code):
            return True
        return bool(version.code) and self._is_due(version, folder)

    def _is_due(self, version: Version, folder: Path) -> bool:
        """Whether a version that failed may be tried again."""
        if _fingerprint(folder) != version.fingerprint:
            version.tries = 0
            return True
        waited = time.monotonic() - version.tried_at
        return (
            version.tries <= self._loading.max_num_load_retries
            and waited >= self._loading.load_retry_interval_seconds
        )

    async def _load(self, model: Model, number: int, folder: Path) -> None:
        version = model.versions.setdefault(number, Version(number))
        version.state, version.code, version.message = State.LOADING, Code.OK, ""
        version.fingerprint = _fingerprint(folder)
        name = model.config.name
        try:
            servable = await in_daemon_thread(lambda: load(name, folder, self._loading))
        except Exception as error:  # noqa: BLE001 - a bad version must not end the server
            version.state, version.code = State.END, Code.FAILED_PRECONDITION
            version.message = str(error) or type(error).__name__
            version.tries += 1
            version.tried_at = time.monotonic()
            self._metrics.load_failed(name)
            _logger.error("%s version %d is not served: %s", name, number, error)
            return
        version.tries = 0
        version.loaded = Loaded(version, servable, self._batcher_of(servable))
        version.state = State.AVAILABLE
        _logger.info("%s version %d is served", name, number)

    def _let_go_unwanted(self, model: Model) -> None:
        found = versions_in(model.config.base_path)
        aspired = wanted(model.config.policy, found, self._broken(model, found))
        labelled = model.config.labels.values()
        self._let_go(model, to_unload(model.loaded, aspired, labelled))
        ended = [n for n, one in model.versions.items() if one.state == State.END]
        for number in sorted(ended)[:-_REMEMBERED_ENDS]:
            del model.versions[number]

    def _let_go(self, model: Model, numbers: Sequence[int]) -> None:
        for number in numbers:
            version = model.versions[number]
            version.state = State.UNLOADING
            task = asyncio.create_task(_unload(version))
            self._letting_go.add(task)
            task.add_done_callback(self._letting_go.discard)
            _logger.info("%s version %d is let go", model.config.name, number)


async def _unload(version: Version) -> None:
    """Waits for the requests of a version, then frees it."""
    while version.in_flight:
        await asyncio.sleep(_LETTING_GO_SECONDS)
    version.loaded = None
    version.state = State.END


def versions_in(base_path: Path) -> dict[int, Path]:
    """The folders below a base path whose names are numbers."""
    try:
        entries = sorted(base_path.iterdir())
    except OSError:
        return {}
    return {
        int(path.name): path
        for path in entries
        if _NUMBER.fullmatch(path.name) and path.is_dir()
    }


def _fingerprint(folder: Path) -> tuple:
    """Changes when a file of a version does."""
    found = []
    for root, _, files in os.walk(folder):  # which passes what it cannot read
        for name in files:
            with contextlib.suppress(OSError):
                facts = Path(root, name).lstat()
                found.append((root, name, facts.st_size, facts.st_mtime_ns))
    return tuple(sorted(found))


def _refuse_unservable(model: Model) -> None:
    config, loaded = model.config, model.loaded
    dangling = {k: v for k, v in config.labels.items() if v not in loaded}
    if dangling:
        raise ConfigError(
            f"Labels of model {config.name} mean versions that are not loaded:"
            f" {dangling}; loaded are {list(loaded)}."
        )
    if loaded:
        return
    if not model.versions:
        _logger.warning(
            "%s has no version yet; %s is polled",
            config.name,
            config.base_path,
        )
        return
    newest = model.versions[max(model.versions)]
    raise ArtifactError(f"No version of {config.name} loads. {newest.message}")
