"""A manager that serves small models, and counts the ones that stay in memory."""

from __future__ import annotations

import asyncio
import weakref
from pathlib import Path

from pipelines.serving.server.errors import ServingError
from pipelines.serving.server.metrics import Metrics
from pipelines.serving.server.models import servable, version_folders
from pipelines.serving.server.models.batcher import Batcher, Workers
from pipelines.serving.server.models.manager import Manager
from pipelines.serving.server.models.model import State, Target
from pipelines.serving.server.models.model_config import ModelConfig, VersionPolicy
from pipelines.serving.server.settings import Batching, Loading

NAME = "m"


class Watched:
    """A manager, its metrics, and every servable that it ever had, held weakly.

    A test may replace `load` and `look` while it is at work.
    """

    def __init__(self) -> None:
        self.load = servable.load
        self.look = version_folders.look
        self.metrics = Metrics()
        self.servables: list[weakref.ref] = []
        workers = Workers(1)

        def batcher_of(servable):
            self.servables.append(weakref.ref(servable))
            return Batcher(servable, Batching(), workers, self.metrics)

        self.manager = Manager(
            Loading(),
            metrics=self.metrics,
            batcher_of=batcher_of,
            load=lambda *arguments: self.load(*arguments),
            look=lambda *arguments, **options: self.look(*arguments, **options),
        )

    @property
    def in_memory(self) -> int:
        return sum(reference() is not None for reference in self.servables)

    def counted(self, name: str) -> float:
        lines = self.metrics.text().decode().splitlines()
        prefix = f":zootune:serving:{name}{{"
        values = [line.split()[-1] for line in lines if line.startswith(prefix)]
        return float(values[0]) if values else 0.0

    def served(self) -> int:
        return self.manager.resolve(Target(NAME)).number

    async def until_let_go(self) -> None:
        while any(
            version.state == State.UNLOADING
            for version in self.manager.status(Target(NAME))
        ):
            await asyncio.sleep(0.01)


def is_loading(watched: Watched) -> bool:
    try:
        return bool(watched.manager.status(Target(NAME)))
    except ServingError:  # nobody has looked at it yet
        return False


def follow(base: Path, steps, policy=None) -> Watched:
    """Runs `steps(watched)` on a manager that serves what is below `base`."""
    watched = Watched()

    async def run():
        config = ModelConfig(NAME, base, policy or VersionPolicy())
        await watched.manager.apply([config])
        await steps(watched)
        await watched.until_let_go()

    asyncio.run(run())
    return watched
