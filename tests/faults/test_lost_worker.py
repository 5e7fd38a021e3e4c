"""One of two workers is killed; the same command goes on where the chief saved."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.support import warm_python

ROOT = Path(__file__).parents[2]


class Pair:
    """The chief and another worker, each with a folder of its own to write to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        with socket.socket() as first, socket.socket() as second:
            for one in (first, second):
                one.bind(("127.0.0.1", 0))
            ports = [one.getsockname()[1] for one in (first, second)]
        cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
        self.processes = [
            warm_python.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.faults.worker_run",
                    str(folder / f"run{index}"),
                    str(folder / f"{index}.npz"),
                ],
                env={
                    **os.environ,
                    "TF_CONFIG": json.dumps(
                        {
                            "cluster": cluster,
                            "task": {"type": "worker", "index": index},
                        }
                    ),
                },
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for index in (0, 1)
        ]

    def ends(self) -> tuple[list[int], list[str]]:
        said = [one.communicate(timeout=240)[0] for one in self.processes]
        return [one.returncode for one in self.processes], said

    @property
    def checkpoints(self) -> list[int]:
        found = (self.folder / "run0" / "checkpoints" / "training").glob("0*.json")
        return sorted(int(path.stem) for path in found)

    def weights(self, index: int) -> list[np.ndarray]:
        with np.load(self.folder / f"{index}.npz") as found:
            return [found[name] for name in found.files]

    @property
    def history(self) -> list[dict]:
        lines = (self.folder / "run0" / "history.jsonl").read_text().splitlines()
        values = [json.loads(line) for line in lines]
        return [{k: v for k, v in one.items() if k != "seconds"} for one in values]


@pytest.mark.faults
def test_killed_worker_loses_only_steps_since_checkpoint(tmp_path):
    whole, torn = Pair(tmp_path / "whole"), Pair(tmp_path / "torn")
    limit = time.monotonic() + 200
    # One after the head, and one after each epoch of the phase that both share.
    while max(torn.checkpoints, default=0) < 4 and time.monotonic() < limit:
        time.sleep(0.02)
    torn.processes[1].send_signal(signal.SIGKILL)
    (chief, killed), (said, _) = torn.ends()
    assert killed == -signal.SIGKILL
    assert chief == 5, said
    assert "Another worker has ended, or cannot be reached" in said
    assert "start the same command on all workers again" in said

    again = Pair(tmp_path / "torn")
    codes, (said, of_other) = again.ends()
    assert codes == [0, 0], said + of_other
    for one in (said, of_other):
        assert "resuming from a checkpoint: 1 phases done" in one
    assert whole.ends()[0] == [0, 0]
    assert len(again.history) == len(whole.history) == 9
    assert again.history == whole.history
    for index in (0, 1):
        pairs = list(zip(again.weights(index), whole.weights(0), strict=True))
        assert pairs
        for mine, theirs in pairs:
            np.testing.assert_array_equal(mine, theirs)
    # Nobody but the chief writes into a workdir.
    assert sorted(p.name for p in again.folder.glob("run*")) == ["run0"]
