"""Features of six classes, float32 `[72, 6]`, and small tasks on them."""

import numpy as np
import pytest

from pipelines.methods.few_shot.episodes import Setting
from pipelines.methods.few_shot.evaluation import Examples
from pipelines.methods.meta.tasks import TaskSetting, halves


@pytest.fixture(scope="session")
def read():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), 12)
    centres = rng.normal(size=(6, 6))
    rows = centres[labels] + 0.5 * rng.normal(size=(72, 6))
    return Examples(rows.astype(np.float32), labels)


@pytest.fixture(scope="session")
def tasks():
    return TaskSetting(Setting(ways=2, shots=4, queries=3, seed=0), batch=4)


@pytest.fixture(scope="session")
def parts(read, tasks):
    return halves(read, tasks.episode, where="data")
