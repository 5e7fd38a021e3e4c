"""A student of the finished run, on smaller images, and digits that no split has."""

import numpy as np
import pytest

import pipelines
from pipelines.data.readers.builtin import read
from tests.pipelines.conftest import TINY_DATA


@pytest.fixture(scope="session")
def fields(finished_run, tmp_path_factory):
    """The arguments of `distil`, with a folder of its own."""
    known = pipelines.data.reference.DatasetRef.parse(TINY_DATA)
    examples = pipelines.data.load.read(known, "auto")
    some = pipelines.data.splitting.keep_some(examples, limit=known.limit, seed=0)
    taken = {pixels.tobytes() for pixels in some.inputs.pixels}
    others = [x for x in read("digits").inputs.pixels if x.tobytes() not in taken]
    pool = tmp_path_factory.mktemp("pool") / "more.npz"
    np.savez(pool, x=np.stack(others[:40]), y=np.array(["?", "!"] * 20))
    return {
        "run": finished_run,
        "backbone": "tiny_image",
        "weights": "none",
        "input_size_px": 16,
        "strategy": "head_only",
        "head": {"epochs": 2},
        "unlabelled": f"npz:{pool}",
        "workdir": tmp_path_factory.mktemp("distil") / "student",
    }


@pytest.fixture(scope="session")
def distilled(fields):
    """The student, for reading only."""
    return pipelines.distil(**fields)
