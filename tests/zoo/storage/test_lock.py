"""One process at a time; its lock ends with it."""

import threading
import time

import pytest

from tests.support.lock_holder import holding
from zoo.errors import StoreError
from zoo.storage import lock


@pytest.fixture
def owner(tmp_path):
    with holding("zoo.storage.lock", "exclusive", tmp_path / "lock") as process:
        yield process


def test_living_owner_is_waited_for_and_named(tmp_path, owner):
    path = tmp_path / "lock"
    named = []
    with (
        pytest.raises(StoreError, match=f"process {owner.pid} has held"),
        lock.exclusive(path, timeout_seconds=0.1, on_wait=named.append),
    ):
        pass
    assert named == [f"process {owner.pid}"]
    owner.kill()
    owner.wait()
    with lock.exclusive(path, timeout_seconds=1, on_wait=named.append):
        pass
    assert len(named) == 1


def test_threads_take_turns(tmp_path):
    inside, most = [], []

    def work():
        with lock.exclusive(tmp_path / "lock"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5


def test_error_inside_lets_go(tmp_path):
    with pytest.raises(KeyError), lock.exclusive(tmp_path / "lock"):
        raise KeyError
    with lock.exclusive(tmp_path / "lock", timeout_seconds=0):
        pass
