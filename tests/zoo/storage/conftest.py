"""A file of a site, fetched into the store of the test."""

import hashlib
import random

import pytest

from zoo.storage import fetch
from zoo.storage.terms import Expected

BODY = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def get(patience):
    def run(url, *, sha256=SHA256, offline=None, name="weights.h5", **trust):
        return fetch.file(
            url,
            name=name,
            key="weights",
            expected=Expected(sha256=sha256),
            offline=offline,
            patience=patience,
            **trust,
        )

    return run
