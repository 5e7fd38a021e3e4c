"""Every module of ours has a test file of its name, in the folder that mirrors its."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _has_functions(path: Path) -> bool:
    """Records, constants and errors alone have nothing to run."""
    return any(
        isinstance(node, ast.FunctionDef)
        for node in ast.walk(ast.parse(path.read_text()))
    )


def _without_test_file() -> list[str]:
    paths = [
        path
        for package in ("zoo", "pipelines")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    ]
    assert len(paths) > 200
    return sorted(
        path.relative_to(ROOT).as_posix()
        for path in paths
        if not _test_file(path).is_file() and _has_functions(path)
    )


def _test_file(path: Path) -> Path:
    return ROOT / "tests" / path.relative_to(ROOT).with_name(f"test_{path.name}")


def test_every_module_has_its_test_file():
    assert _without_test_file() == []
