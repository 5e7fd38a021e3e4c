"""Predictors of small artifacts, one for each modality."""

import pytest

import pipelines
from tests.support import small_artifacts


@pytest.fixture(scope="session")
def predictors(tmp_path_factory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("small")
    return {
        modality: pipelines.load(
            small_artifacts.make(
                folder / modality / "1", ["cat", "dog"], modality=modality
            )
        )
        for modality in ("text", "image", "series")
    }
