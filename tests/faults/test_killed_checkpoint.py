"""F2: wherever a checkpoint is killed, it or the one before it loads."""

import numpy as np
import pytest

from pipelines.training.checkpoint import Checkpoints
from tests.faults.kills import IS_LONG, killed_at_random

pytestmark = pytest.mark.faults

WRITES = """
import sys
from pathlib import Path
import numpy as np
from pipelines.training.checkpoint import Checkpoints
checkpoints = Checkpoints(Path(sys.argv[1]))
found = checkpoints.newest()
number = found.values["number"] if found else 0
while True:
    number += 1
    changed = checkpoints.store([np.full(500_000, number, "float32")])
    same = checkpoints.store([np.zeros(1000, "int64")])
    checkpoints.write({"number": number}, {"changed": changed, "same": same})
    print(number, flush=True)
"""


def test_killed_checkpoint_write_leaves_a_whole_one(tmp_path):
    folder, known = tmp_path / "checkpoints", 0
    for _ in killed_at_random(
        WRITES, folder, times=20 if IS_LONG else 6, within_seconds=0.05
    ):
        found = Checkpoints(folder).newest()
        number = found.values["number"]
        assert number > known
        known = number
        (changed,), (same,) = found.arrays["changed"], found.arrays["same"]
        assert np.array_equal(changed, np.full(500_000, number, "float32"))
        assert np.array_equal(same, np.zeros(1000, "int64"))
    # The next write takes away what killed ones have left.
    checkpoints = Checkpoints(folder)
    checkpoints.newest()
    checkpoints.write({"number": 0}, {"same": checkpoints.store([np.zeros(3)])})
    assert not list(folder.glob(".*"))
    assert len(list(folder.glob("*.json"))) == 2
