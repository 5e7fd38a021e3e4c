"""Every module of ours has a test file of its name, in the folder that mirrors its own.

`tests/untested_modules.txt` lists the ones that have none yet. It only shrinks: a
module that got its test file, or is gone, has to leave it.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
MISSING = ROOT / "tests" / "untested_modules.txt"


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


def test_every_module_has_its_own_test_file():
    without, listed = _without_test_file(), MISSING.read_text().splitlines()
    assert set(without) - set(listed) == set(), "write a test file"
    assert set(listed) - set(without) == set(), f"take it off {MISSING.name}"
    assert listed == sorted(listed)
