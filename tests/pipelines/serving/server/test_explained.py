"""An artifact that says where it looked: proved, warmed up and served."""

import base64

import numpy as np
import pytest

import pipelines
from pipelines.config import ExportConfig
from pipelines.errors import ConfigError
from pipelines.serving import artifact as artifacts
from tests.support.servers import serving

pytestmark = pytest.mark.serving


def test_parity_covers_the_explanation_and_others_have_none(explained, artifact):
    manifest = artifacts.read_manifest(explained / "1")
    # What every artifact of images has, and a heat map and its label; 4 batch sizes.
    assert manifest.parity["outputs_compared"] == (7 + 7 + 1 + 2 + 2) * 4
    signature = manifest.signatures["explain"]
    assert signature["inputs"] == manifest.signatures["serving_default"]["inputs"]
    assert signature["outputs"]["heat_map"]["dtype"] == "float32"
    assert len(signature["outputs"]["heat_map"]["shape"]) == 3
    assert "explain" not in artifacts.read_manifest(artifact / "1").signatures


def test_a_heat_map_comes_over_rest_for_the_label_that_is_answered(explained, photos):
    instances = [
        {"b64": base64.b64encode(one).decode()} for one in (*photos[:3], b"no photo")
    ]
    with serving(explained, "--name", "digits") as server:
        server.wait_for_line("warmed up by 10")
        path = "/v1/models/digits:predict"
        answers = server.post(path, {"instances": instances}).json["predictions"]
        found = server.post(
            path, {"signature_name": "explain", "instances": instances}
        ).json["predictions"]
    assert [one["label"] for one in found] == [one["label"] for one in answers]
    heat = np.array([one["heat_map"] for one in found])
    assert heat.ndim == 3
    assert heat.min() >= 0
    assert heat[:3].max(axis=(1, 2)) == pytest.approx([1, 1, 1])
    assert heat[3].max() == 0


def test_what_has_no_map_is_refused_before_anything_is_written(sentences, tmp_path):
    with pytest.raises(ConfigError, match=r"explain shows where .* of tiny_text gives"):
        pipelines.fine_tune(
            sentences,
            backbone="tiny_text",
            weights="none",
            export=ExportConfig(explain=True),
            workdir=tmp_path / "run",
        )
    assert not (tmp_path / "run").exists()
