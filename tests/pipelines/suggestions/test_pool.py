"""A pool of unlabelled examples, and what it is not."""

import json
import shutil

import pytest

from pipelines.errors import ArtifactError, ConfigError, DataError
from pipelines.suggestions.pool import opened, read, source_of


def _changed(finished_run, folder, **report):
    ignored = shutil.ignore_patterns("checkpoints")
    shutil.copytree(finished_run, folder, ignore=ignored)
    values = json.loads((folder / "report.json").read_text()) | report
    (folder / "report.json").write_text(json.dumps(values))
    return folder


def test_run_without_kept_features_has_none(finished_run, tmp_path):
    labelled = opened(_changed(finished_run, tmp_path / "run"))
    assert labelled.features.shape == (0, 0)
    assert len(opened(finished_run).features) == 120


def test_run_that_published_nothing_is_refused(finished_run, tmp_path):
    run = _changed(finished_run, tmp_path / "run", artifact=None)
    with pytest.raises(ConfigError, match="did not pass the quality gate"):
        opened(run)
    with pytest.raises(ArtifactError, match="not an artifact"):
        opened(tmp_path)


def test_source_without_a_readable_image_is_refused(finished_run, tmp_path):
    artifact = opened(finished_run).artifact
    with pytest.raises(DataError, match="has no image to predict"):
        read(artifact, source_of(artifact, str(tmp_path)))
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"None of the 1 examples .* such as a\.png"):
        read(artifact, source_of(artifact, str(tmp_path)))
    with pytest.raises(DataError, match="There is no folder"):
        source_of(artifact, f"dir:{tmp_path / 'gone'}")
