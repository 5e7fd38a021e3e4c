"""One process at a time; its lock ends with it."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from zoo.errors import StoreError
from zoo.storage import lock

ROOT = Path(__file__).parents[3]
WAITS = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from zoo.storage.lock import exclusive\n"
    "with exclusive(Path(sys.argv[1])):\n"
    "    print('held', flush=True)\n"
    "    time.sleep(60)\n"
)


@pytest.fixture
def owner(tmp_path):
    """Another process that has the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS, str(tmp_path / "lock")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


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
