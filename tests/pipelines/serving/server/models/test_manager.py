"""Versions that come, go and break below a base path, and what stays served."""

import asyncio
import gc
import os
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import ConfigError
from pipelines.serving.server.errors import ServingError
from pipelines.serving.server.models import servable
from pipelines.serving.server.models.model import State, Target
from pipelines.serving.server.models.model_config import ModelConfig
from tests.support import small_artifacts
from tests.support.watched_models import NAME, Watched, follow, is_loading


def broken_base(kind: str, base: Path, monkeypatch) -> None:
    """Makes a base path that cannot be looked at."""
    if kind == "gone":
        base.rename(base.with_name("elsewhere"))
    elif kind == "a file":
        base.rename(base.with_name("elsewhere"))
        base.write_text("no folder")
    else:
        number = {"EIO": 5, "EACCES": 13, "ESTALE": 116}[kind]
        real = os.scandir

        def scandir(path):
            if Path(path) == base:
                raise OSError(number, os.strerror(number))
            return real(path)

        monkeypatch.setattr(os, "scandir", scandir)


@pytest.mark.parametrize("kind", ["gone", "a file", "EIO", "EACCES", "ESTALE"])
def test_loaded_version_survives_broken_base_path(base, kind, monkeypatch, caplog):
    async def steps(watched):
        with monkeypatch.context() as patched:
            broken_base(kind, base, patched)
            for _ in range(3):
                await watched.manager.poll()
                assert watched.served() == 1
        if not base.is_dir():
            base.unlink(missing_ok=True)
            base.with_name("elsewhere").rename(base)
        await watched.manager.poll()
        assert watched.served() == 1

    with caplog.at_level("INFO", "zootune.serve"):
        watched = follow(base, steps)
    said = [one.message for one in caplog.records]
    assert len([one for one in said if "cannot be followed" in one]) == 1
    assert len([one for one in said if "is followed again" in one]) == 1
    assert watched.counted("poll_failures") == 3


def test_unexpected_poll_error_ends_nothing(base, caplog):
    def look(*_, **__):
        raise RuntimeError("never thought of")

    async def steps(watched):
        watched.look = look
        for _ in range(2):
            await watched.manager.poll()
        assert watched.served() == 1

    assert follow(base, steps).counted("poll_failures") == 2
    assert len([one for one in caplog.records if "never thought" in one.message]) == 1


def test_failed_version_is_retried_when_files_change(base, version):
    part = base / "2"
    part.mkdir()

    async def steps(watched):
        assert watched.served() == 1
        await watched.manager.poll()
        assert watched.served() == 1
        for name in ("variables", "assets"):
            shutil.copytree(version / name, part / name)
        for name in ("saved_model.pb", "fingerprint.pb", "zoo_artifact.json"):
            shutil.copy(version / name, part / name)
        await watched.manager.poll()
        assert watched.served() == 2

    follow(base, steps)


def test_fast_versions_are_at_most_two(base, version):
    most = 0
    real = servable.load

    async def steps(watched):
        nonlocal most

        def slowly(name, folder, loading):
            # The next one is there before this one is loaded.
            small_artifacts.publish(version, base, int(folder.name) + 1)
            return real(name, folder, loading)

        watched.load = slowly
        small_artifacts.publish(version, base, 2)
        for _ in range(5):
            await watched.manager.poll()
            gc.collect()
            most = max(most, watched.in_memory)
            await watched.until_let_go()
        assert watched.served() == 6

    watched = follow(base, steps)
    assert most <= 2
    assert watched.in_memory == 1


def test_open_request_keeps_third_version_away(base, version):
    async def steps(watched):
        with watched.manager.resolve(Target(NAME)).held():
            small_artifacts.publish(version, base, 2)
            await watched.manager.poll()
            assert watched.served() == 2
            small_artifacts.publish(version, base, 3)
            await watched.manager.poll()
            assert watched.served() == 2
            assert watched.in_memory == 2
        await watched.until_let_go()
        await watched.manager.poll()
        assert watched.served() == 3

    follow(base, steps)


def test_unloaded_version_leaves_memory(base, version):
    async def steps(watched):
        threads = threading.active_count()
        for number in (2, 3, 4):
            small_artifacts.publish(version, base, number)
            await watched.manager.poll()
            loaded = watched.manager.resolve(Target(NAME))
            signature = loaded.servable.signatures["serving_default"]
            inputs = {"text": np.array([b"abc"], object)}
            deadline = time.monotonic() + 30
            found = await loaded.batcher.submit(signature, inputs, deadline=deadline)
            assert found["label"][0] == b"dog"
            del loaded, signature
            await watched.until_let_go()
            assert watched.in_memory == 1
        assert threading.active_count() <= threads + 1  # the one that computes

    follow(base, steps)


def test_requests_during_first_load_are_503(base):
    may_load = threading.Event()
    real = servable.load

    def load(*arguments):
        may_load.wait(30)
        return real(*arguments)

    watched = Watched()
    watched.load = load

    async def run():
        config = ModelConfig(NAME, base, labels={})
        coming = asyncio.create_task(watched.manager.apply([config]))
        while not is_loading(watched):
            await asyncio.sleep(0.01)
        for target in (Target(NAME), Target(NAME, version=1)):
            with pytest.raises(ServingError) as refused:
                watched.manager.resolve(target)
            assert refused.value.http_status == 503
            assert refused.value.retry_after_seconds == 1
        with pytest.raises(ServingError) as refused:
            watched.manager.resolve(Target("other"))
        assert refused.value.http_status == 404
        (row,) = watched.manager.status(Target(NAME))
        assert row.state == State.LOADING
        assert not watched.manager.is_ready
        may_load.set()
        await coming
        assert watched.served() == 1
        with pytest.raises(ServingError) as refused:
            watched.manager.resolve(Target(NAME, version=9))
        assert refused.value.http_status == 404

    asyncio.run(run())


def test_abandoned_configuration_changes_nothing(base, version, tmp_path):
    other = tmp_path / "other"
    small_artifacts.publish(version, other, 5)
    may_load = threading.Event()

    async def steps(watched):
        is_asked = threading.Event()

        def load(*arguments):
            is_asked.set()
            may_load.wait(30)
            return servable.load(*arguments)

        watched.load = load
        coming = asyncio.create_task(
            watched.manager.apply([ModelConfig(NAME, base), ModelConfig("o", other)])
        )
        while not is_asked.is_set():
            await asyncio.sleep(0.01)
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        may_load.set()
        assert watched.manager.names == [NAME]
        assert watched.served() == 1
        await watched.manager.apply([ModelConfig("o", other)])
        assert watched.manager.resolve(Target("o")).number == 5

    watched = Watched()

    async def run():
        await watched.manager.apply([ModelConfig(NAME, base)])
        await steps(watched)

    asyncio.run(run())


def test_missing_base_path_is_refused_at_start(tmp_path):
    with pytest.raises(ConfigError, match="is not a folder"):
        follow(tmp_path / "none", None)
