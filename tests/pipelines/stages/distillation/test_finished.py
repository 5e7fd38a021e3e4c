"""A teacher is a finished run whose artifact was published."""

import json
import shutil

import pytest

from pipelines.errors import ArtifactError, ConfigError
from pipelines.stages.distillation.finished import finished_teacher


def test_finished_run_is_a_teacher(finished_run):
    teacher = finished_teacher(finished_run)
    assert (teacher.backbone, teacher.input_size_px) == ("tiny_image", 32)
    assert teacher.config.data == teacher.artifact.manifest.data["reference"]


def test_run_that_was_not_published_is_refused(tmp_path):
    report = {"artifact": None, "backbone": {"name": "tiny_image"}}
    (tmp_path / "report.json").write_text(json.dumps(report))
    with pytest.raises(ConfigError, match="quality gate"):
        finished_teacher(tmp_path)


def test_changed_artifact_is_refused(finished_run, tmp_path):
    run = shutil.copytree(finished_run, tmp_path / "run")
    (graph,) = run.glob("artifact/*/saved_model.pb")
    graph.write_bytes(b"another")
    with pytest.raises(ArtifactError):
        finished_teacher(run)
