"""Predictions of a version for both interfaces, and the headers that name it."""

import time

import numpy as np
import pytest

from pipelines.serving import naming
from pipelines.serving.server.errors import ServingError
from pipelines.serving.server.models import service
from pipelines.serving.server.models.model import Target
from tests.support import small_artifacts
from tests.support.watched_models import NAME, follow


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    base = tmp_path_factory.mktemp("models") / NAME
    small_artifacts.make(base / "3", ["cat", "dog"])
    return base


def test_version_predicts_classifies_and_names_itself(base):
    async def steps(watched):
        version = watched.manager.resolve(Target(NAME))
        deadline = time.monotonic() + 30
        signatures = service.signatures(version)
        default, classify = signatures["serving_default"], signatures["classify"]
        inputs = {"text": np.array([b"abc"], object)}
        outputs = await service.predict(version, default, inputs, deadline=deadline)
        assert outputs["label"].tolist() == [b"dog"]
        asked = (version, classify, [b"", b""])
        rows = await service.infer(*asked, service.CLASSIFY, deadline=deadline)
        assert rows == [[(b"cat", 0.5), (b"dog", 0.5)]] * 2
        with pytest.raises(ServingError, match="regression signature"):
            await service.infer(*asked, service.REGRESS, deadline=deadline)
        assert service.version_headers(version) == {
            naming.VERSION_HEADER: "3",
            naming.CLASSES_HEADER: naming.digest(["cat", "dog"]),
        }

    follow(base, steps)
