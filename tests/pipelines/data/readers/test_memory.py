"""`memory:`, the data that a caller of this process passed."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.data.in_memory.passed import Passed
from pipelines.data.readers import memory
from pipelines.errors import DataError


def test_data_are_held_until_the_last_call_ends():
    passed = Passed(np.zeros((2, 4, 4, 3), np.uint8), np.array([0, 1]), "here")
    with memory.holding(passed) as location:
        with memory.holding(passed) as again:
            assert again == location
        # The other call goes on.
        assert len(memory.read(location)) == 2
    with pytest.raises(DataError, match="are not here any more"):
        memory.read(location)
