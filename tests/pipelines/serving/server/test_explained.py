"""An artifact that explains its answers: proved, warmed up and served."""

import base64

import numpy as np
import pytest

import pipelines
from pipelines.config import ExportConfig
from pipelines.errors import ConfigError
from pipelines.serving import artifact as artifacts

pytestmark = pytest.mark.serving


def test_parity_covers_the_explanation(artifact):
    manifest = artifacts.read_manifest(artifact / "1")
    # Outputs of every artifact of images, and a heat map and its label; 4 batch sizes.
    assert manifest.parity["outputs_compared"] == (7 + 7 + 1 + 2 + 2) * 4
    signature = manifest.signatures["explain"]
    assert signature["inputs"] == manifest.signatures["serving_default"]["inputs"]
    assert signature["outputs"]["heat_map"]["dtype"] == "float32"
    assert len(signature["outputs"]["heat_map"]["shape"]) == 3


def test_heat_map_is_for_the_answered_label(served_artifact, photos):
    instances = [
        {"b64": base64.b64encode(image).decode()}
        for image in (*photos[:3], b"no photo")
    ]
    served_artifact.wait_for_line("warmed up by 10")
    path = "/v1/models/digits:predict"
    answers = served_artifact.post(path, {"instances": instances}).json["predictions"]
    request = {"signature_name": "explain", "instances": instances}
    rows = served_artifact.post(path, request).json["predictions"]
    assert [row["label"] for row in rows] == [row["label"] for row in answers]
    heat = np.array([row["heat_map"] for row in rows])
    assert heat.ndim == 3
    assert heat.min() >= 0
    assert heat[:3].max(axis=(1, 2)) == pytest.approx([1, 1, 1])
    assert heat[3].max() == 0


def test_texts_have_no_heat_map(tmp_path):
    """Refused before anything is written."""
    words = ("sunny", "warm", "rainy", "cold")
    texts = [f"{i} was a {words[i % 4]} day" for i in range(160)]
    labels = ["good" if i % 4 < 2 else "bad" for i in range(160)]
    np.savez(tmp_path / "texts.npz", x=np.array(texts), y=np.array(labels))
    with pytest.raises(ConfigError, match=r"explain shows where .* of tiny_text gives"):
        pipelines.fine_tune(
            f"npz:{tmp_path / 'texts.npz'}",
            backbone="tiny_text",
            weights="none",
            export=ExportConfig(explain=True),
            workdir=tmp_path / "run",
        )
    assert not (tmp_path / "run").exists()
