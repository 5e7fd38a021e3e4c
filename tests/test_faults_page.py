"""The page about faults and attacks names tests that are there."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reference" / "faults.md").read_text()
ROWS = dict(re.findall(r"^\| ([FS]\d+) \| .* \| .* \| (.*) \|$", PAGE, re.MULTILINE))
WANTED = [f"F{i}" for i in range(1, 40)] + [f"S{i}" for i in range(1, 40)]


@functools.cache
def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}


def test_every_fault_and_attack_has_one_row():
    assert re.findall(r"^\| ([FS]\d+) ", PAGE, re.MULTILINE) == WANTED
    assert list(ROWS) == WANTED


@pytest.mark.parametrize("number", WANTED)
def test_the_tests_of_a_row_exist(number):
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", ROWS[number])
    assert named
    assert ROWS[number].count("`") == 2 * len(named)
    for file, name in named:
        assert name in functions(ROOT / file), f"{file} has no {name}"
