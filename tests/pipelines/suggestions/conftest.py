"""A folder of images without class folders, and what a run suggests of it."""

import numpy as np
import pytest
from PIL import Image

from pipelines.suggestions.suggest import suggest


@pytest.fixture(scope="session")
def unlabelled(tmp_path_factory):
    """Twelve images, one of them broken, and one in a folder below."""
    folder = tmp_path_factory.mktemp("unlabelled")
    (folder / "more & more").mkdir()
    draw = np.random.default_rng(0)
    for i in range(12):
        place = folder / "more & more" if i == 11 else folder
        pixels = draw.integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(place / f"{i}.png")
    (folder / "3.png").write_bytes(b"not an image")
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.fixture(scope="session")
def suggested(finished_run, unlabelled):
    """Four suggestions."""
    return suggest(finished_run, f"dir:{unlabelled}", count=4)
