"""Digits, and a network of random weights that has seen none of them."""

import pytest

from pipelines.methods.few_shot.episodes import Setting
from pipelines.methods.few_shot.examples import labelled
from pipelines.methods.few_shot.features import Source

DATA = "builtin:digits?limit=400"


@pytest.fixture(scope="session")
def digits():
    with labelled(DATA) as examples:
        yield examples


@pytest.fixture(scope="session")
def source():
    return Source(backbone="tiny_image", weights="none", input_size_px=16)


@pytest.fixture(scope="session")
def episode():
    return Setting(ways=4, shots=4, queries=8, episodes=60)
