"""Modules that bring TensorFlow ops: few are known, and only these are imported."""

import sys

import pytest

from pipelines.errors import ArtifactError
from pipelines.serving import graph_ops


def test_manifest_does_not_choose_imports(tmp_path):
    with pytest.raises(ArtifactError, match="asks for the module 'antigravity'"):
        graph_ops.import_ops("antigravity", tmp_path)
    assert "antigravity" not in sys.modules


def test_missing_module_is_named_with_its_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_text", None)
    with pytest.raises(ArtifactError, match=r"--no-deps 'tensorflow-text==2\.\d+\.\*'"):
        graph_ops.import_ops("tensorflow_text", tmp_path)
