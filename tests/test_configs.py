"""Every experiment in `configs/` is complete, valid, and runs."""

import ast
import json
from pathlib import Path

import pytest

from pipelines.config import checked
from pipelines.config.flags import parse
from pipelines.main import main

FOLDER = Path(__file__).parents[1] / "configs"
FILES = sorted(path for path in FOLDER.rglob("*.py") if path.name != "__init__.py")
NAMES = [path.relative_to(FOLDER).as_posix() for path in FILES]
ON_TINY_PARTS = [
    "--config.data=builtin:digits?limit=120",
    "--config.backbone=tiny_image",
    "--config.weights=none",
    "--config.input_size_px=32",
    "--config.batch_size=128",  # more than the data: one step is an epoch
    "--config.head.epochs=1",
    "--config.finetune.epochs=1",
]


def header_of(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def test_all_configs_are_seen():
    assert len(FILES) == 3
    assert {"quickstart.py", "photos.py", "tiny.py"} <= set(NAMES)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_its_header_tells_purpose_command_cost_and_what_to_expect(path):
    header = header_of(path)
    for word in ("Purpose:", "Command:", "Cost:", "Expected:"):
        assert f"\n{word}" in header, f"{path} has no line that starts with {word}"
    assert f"--config=configs/{path.relative_to(FOLDER).as_posix()}" in header


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_it_is_valid_as_it_stands(path):
    config = parse([f"--config={path}"])
    assert checked(config) == config


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_it_imports_nothing_but_the_config(path):
    modules = [
        node.module
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
    ]
    assert modules == ["pipelines.config"]
    assert not [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if type(node) is ast.Import
    ]


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_it_runs_for_one_step_on_tiny_parts(path, tmp_path):
    workdir = tmp_path / "run"
    flags = [f"--config={path}", *ON_TINY_PARTS, f"--config.workdir={workdir}"]
    assert main(flags) == 0
    report = json.loads((workdir / "report.json").read_text())
    assert report["test"]["examples"] > 0
    assert (workdir / "artifact" / "1" / "saved_model.pb").is_file()
    lines = (workdir / "history.jsonl").read_text().splitlines()
    assert len(lines) == len(report["phases"]) > 0
