"""Images of three kinds: dark, bright, and with stripes."""

import numpy as np
import pytest
from PIL import Image

from pipelines.methods.clusters.cluster import cluster
from pipelines.methods.few_shot.features import Source

SOURCE = Source(backbone="tiny_image", weights="none", reads="all")
OF_EACH = 12


@pytest.fixture(scope="session")
def kinds(tmp_path_factory):
    """A folder of each kind."""
    folder = tmp_path_factory.mktemp("kinds")
    rng = np.random.default_rng(0)
    stripes = np.zeros((16, 16, 3), np.int64)
    stripes[::4] = 255
    for name, base in (("dark", 20), ("bright", 220), ("striped", stripes)):
        (folder / name).mkdir()
        for i in range(OF_EACH):
            pixels = np.clip(base + rng.integers(-15, 15, (16, 16, 3)), 0, 255)
            path = folder / name / f"{i:02}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    return folder


@pytest.fixture(scope="session")
def clustered(kinds):
    return cluster(f"dir:{kinds}", source=SOURCE)
