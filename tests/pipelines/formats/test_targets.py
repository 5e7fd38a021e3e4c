"""Formats are known by name, and need what their extra brings."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipelines.errors import ConfigError
from pipelines.formats.targets import NAMES, TARGETS, parse
from tests.support.exports import refusal


def test_formats_are_a_list_of_known_names():
    assert parse("savedmodel") == ()
    assert parse("litert, ONNX") == TARGETS
    assert [target.name for target in parse("onnx,litert-int8,onnx")] == [
        "litert-int8",
        "onnx",
    ]
    assert len(NAMES) == len(TARGETS) + 2
    with pytest.raises(ConfigError, match="Unknown format 'onx'.*Did you mean 'onnx'"):
        parse("onx")
    with pytest.raises(ConfigError, match="--format is empty"):
        parse(" ,")


@pytest.mark.parametrize(
    ("module", "name"), [("ai_edge_litert", "litert"), ("onnxruntime", "onnx")]
)
def test_a_missing_extra_is_named(
    finished_run: Path, tmp_path: Path, capsys, monkeypatch, module: str, name: str
):
    monkeypatch.setitem(sys.modules, module, None)
    printed = refusal(capsys, finished_run, tmp_path / "b", f"--format={name}", code=2)
    assert f"needs {module}, which is not installed" in printed
    assert f"pip install 'zootune[{name}]'" in printed
