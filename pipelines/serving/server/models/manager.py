"""The models that are served: versions found, loaded, resolved, and let go."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pipelines.errors import ArtifactError, ConfigError
from pipelines.serving.server.errors import Code, ServingError, invalid, not_found
from pipelines.serving.server.memory import give_back
from pipelines.serving.server.metrics import Metrics
from pipelines.serving.server.models import version_folders
from pipelines.serving.server.models.batcher import Batcher
from pipelines.serving.server.models.daemon_thread import in_daemon_thread
from pipelines.serving.server.models.model import (
    Loaded,
    Model,
    State,
    Target,
    Version,
)
from pipelines.serving.server.models.model_config import (
    ModelConfig,
    to_serve,
    to_unload,
)
from pipelines.serving.server.models.servable import Servable, load
from pipelines.serving.server.models.version_folders import Seen
from pipelines.serving.server.settings import Loading

_logger = logging.getLogger("zootune.serve")
_REMEMBERED_ENDS = 32
_LETTING_GO_SECONDS = 0.02


class Manager:
    """Keeps what is loaded as the configuration and the disk say it should be."""

    def __init__(
        self,
        loading: Loading,
        *,
        metrics: Metrics,
        batcher_of: Callable[[Servable], Batcher],
        load: Callable[[str, Path, Loading], Servable] = load,
        look: Callable[..., Seen] = version_folders.look,
    ) -> None:
        self._loading = loading
        self._metrics = metrics
        self._batcher_of = batcher_of
        self._load_servable = load
        self._look_at = look
        self._models: dict[str, Model] = {}
        # Those of a configuration that is not in force yet.
        self._coming: dict[str, Model] = {}
        self._changing = asyncio.Lock()
        self._letting_go: set[asyncio.Task] = set()

    @property
    def names(self) -> list[str]:
        """The names of the models that are served."""
        return sorted(self._models)

    @property
    def is_ready(self) -> bool:
        """True if every model has a version that answers."""
        return bool(self._models) and all(m.loaded for m in self._models.values())

    def resolve(self, target: Target) -> Loaded:
        """The version that answers a request.

        Raises:
            ServingError: if the model, the version or the label is not served.
        """
        model = self._known(target.name)
        if model is None:
            raise not_found(f"Servable not found for request: {target}")
        number, loaded = target.version, model.loaded
        if target.label is not None:
            number = model.config.labels.get(target.label)
            if number is None:
                raise invalid(f"Unrecognized servable version label: {target.label}")
        if number is None and loaded:
            return loaded[max(loaded)]
        if number is not None and number in loaded:
            return loaded[number]
        # A client takes 'not found' for the last word: not for a version that may come.
        if number is None or self._may_come(model, number):
            which = "No version" if number is None else f"Not version {number}"
            raise ServingError(
                Code.UNAVAILABLE,
                f"{which} of {target.name} is loaded yet; ask again in a second.",
            )
        raise not_found(f"Servable not found for request: {target}")

    def _may_come(self, model: Model, number: int) -> bool:
        """True if a version is loading, or nobody has looked at the folder yet."""
        version = model.versions.get(number)
        if version is None:
            return self._coming.get(model.config.name) is model and not model.loaded
        return version.state in (State.START, State.LOADING)

    def status(self, target: Target) -> list[Version]:
        """The versions of a model, the newest first, or the one that is asked for."""
        model = self._known(target.name)
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

    def _known(self, name: str) -> Model | None:
        """A model that is served, or is about to be."""
        return self._models.get(name) or self._coming.get(name)

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
            self._coming = models
            try:
                seen = {
                    name: await self._first_look(model)
                    for name, model in models.items()
                }
                for name, model in models.items():
                    await self._load_wanted(model, seen[name])
                    _refuse_unservable(model)
            except BaseException:  # whoever asked for it may be gone, too
                for name, config in before.items():
                    self._models[name].config = config
                self._let_go_all(models, but=self._models)
                raise
            finally:
                self._coming = {}
            replaced = self._models
            self._models = models
            self._let_go_all(replaced, but=models)
            for name, model in models.items():
                self._let_go_unwanted(model, seen[name])

    def _candidate(self, config: ModelConfig) -> Model:
        old = self._models.get(config.name)
        if old is None or old.config.base_path != config.base_path:
            return Model(config)
        old.config = config
        return old

    async def _first_look(self, model: Model) -> Seen:
        config = model.config
        try:
            return await self._look(model)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ConfigError(
                f"The base path of model {config.name} is {config.base_path}, which is"
                " not a folder."
            ) from error
        except OSError as error:
            raise ConfigError(
                f"The base path of model {config.name}, {config.base_path}, cannot be"
                f" read: {error}."
            ) from error

    async def poll(self) -> None:
        """Looks once for versions that came, went, or may load by now.

        Where that fails, what is loaded stays, and the error is logged once.
        """
        async with self._changing:
            for model in self._models.values():
                try:
                    await self._follow(model)
                except Exception as error:  # noqa: BLE001 - what is loaded serves on
                    self._note(model, error)
                else:
                    self._note(model, None)

    async def _follow(self, model: Model) -> None:
        """Loads the versions to serve that lie there now, then lets the others go.

        What comes meanwhile has to wait: so however fast versions come, no more are in
        memory than the policy wants, and the one that takes over.
        """
        seen = await self._look(model)
        if model.is_letting_go:  # a request still holds what was replaced
            return
        await self._load_wanted(model, seen)
        self._let_go_unwanted(model, seen)

    def _note(self, model: Model, error: Exception | None) -> None:
        """Counts errors that keep a model from being followed; logs each error once."""
        name, path = model.config.name, model.config.base_path
        trouble = f"{type(error).__name__}: {error}" if error is not None else ""
        if error is not None:
            self._metrics.poll_failed(name)
        if trouble == model.trouble:
            return
        model.trouble = trouble
        if trouble:
            _logger.error(
                "%s: %s cannot be followed, and what is loaded serves on: %s",
                name,
                path,
                trouble,
            )
        else:
            _logger.info("%s: %s is followed again", name, path)

    async def close(self) -> None:
        """Lets go of every version."""
        for model in self._models.values():
            self._let_go(model, list(model.loaded))

    async def _look(self, model: Model) -> Seen:
        path = model.config.base_path
        failed = [n for n, version in model.versions.items() if version.code]
        return await in_daemon_thread(
            lambda: self._look_at(path, fingerprints_of=failed)
        )

    async def _load_wanted(self, model: Model, seen: Seen) -> None:
        """Loads versions until every one that is wanted is there or has failed."""
        while True:
            todo = [n for n in self._aspired(model, seen) if _may_load(model, n)]
            due = [n for n in todo if self._is_due(model.versions.get(n), seen)]
            if not due:
                return
            await self._load(model, due[0], seen)

    def _aspired(self, model: Model, seen: Seen) -> list[int]:
        broken = {
            number
            for number, version in model.versions.items()
            if version.code and not self._is_due(version, seen)
        }
        return to_serve(model.config.policy, seen.folders, broken)

    def _is_due(self, version: Version | None, seen: Seen) -> bool:
        """True if a version may be tried; one that failed has to wait."""
        if version is None or not version.code:
            return True
        now = seen.fingerprints.get(version.number, version.fingerprint)
        if now != version.fingerprint:
            version.tries = 0
            return True
        waited = time.monotonic() - version.tried_at
        return (
            version.tries <= self._loading.max_num_load_retries
            and waited >= self._loading.load_retry_interval_seconds
        )

    async def _load(self, model: Model, number: int, seen: Seen) -> None:
        folder, name = seen.folders[number], model.config.name
        version = model.versions.setdefault(number, Version(number))
        version.state, version.code, version.message = State.LOADING, Code.OK, ""
        try:
            version.fingerprint = await in_daemon_thread(
                lambda: version_folders.fingerprint(folder)
            )
            servable = await in_daemon_thread(
                lambda: self._load_servable(name, folder, self._loading)
            )
        except Exception as error:  # noqa: BLE001 - a bad version must not end the server
            self._failed(name, version, error)
            seen.fingerprints[number] = version.fingerprint
            return
        except asyncio.CancelledError:  # as if it had never been tried
            version.state = State.END
            raise
        version.tries, version.logged = 0, ""
        version.loaded = Loaded(version, servable, self._batcher_of(servable))
        version.state = State.AVAILABLE
        _logger.info("%s version %d is served", name, number)

    def _failed(self, name: str, version: Version, error: Exception) -> None:
        version.state, version.code = State.END, Code.FAILED_PRECONDITION
        version.message = str(error) or type(error).__name__
        version.tries += 1
        version.tried_at = time.monotonic()
        self._metrics.load_failed(name)
        if version.logged != version.message:
            version.logged = version.message
            _logger.error(
                "%s version %d is not served: %s", name, version.number, error
            )

    def _let_go_unwanted(self, model: Model, seen: Seen) -> None:
        aspired = self._aspired(model, seen)
        labelled = model.config.labels.values()
        self._let_go(model, to_unload(model.loaded, aspired, labelled))
        ended = [n for n, v in model.versions.items() if v.state == State.END]
        for number in sorted(ended)[:-_REMEMBERED_ENDS]:
            del model.versions[number]

    def _let_go_all(self, models: dict[str, Model], *, but: dict[str, Model]) -> None:
        for name, model in models.items():
            if but.get(name) is not model:
                self._let_go(model, list(model.loaded))

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
    await in_daemon_thread(give_back)
    version.state = State.END


def _may_load(model: Model, number: int) -> bool:
    version = model.versions.get(number)
    return version is None or version.state == State.END


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
