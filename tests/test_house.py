"""The measures of the house see what they are there to keep out."""

import ast
from pathlib import Path

import pytest

from tests import house

ROOT = Path(__file__).parents[1]


def written(folder: Path, text: str, name: str = "module.py") -> house.Source:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return house.Source(path, folder)


def test_old_names_find_class_variable_and_import(tmp_path):
    text = "from x import RareReads\nclass Watching:\n    lent = 1\n    fine = 2\n"
    rows = house.old_names([written(tmp_path, text)])
    assert [row.split()[1] for row in rows] == ["Watching:", "RareReads:", "lent:"]


def test_old_names_with_place_are_found_only_there(tmp_path):
    inside = written(tmp_path, "units = 1", "data/rows.py")
    outside = written(tmp_path, "units = 1", "training/rows.py")
    (row,) = house.old_names([inside, outside])
    assert row.startswith("data/rows.py:1 units")


def test_an_old_module_name_is_found(tmp_path):
    assert house.old_names([written(tmp_path, "", "pipelines/stages/pace.py")])
    assert not house.old_names([written(tmp_path, "", "pipelines/stages/score.py")])


@pytest.mark.parametrize(
    ("text", "is_old"),
    [
        ("# ten, of which two are empty", True),
        ('"""Mends a file."""', True),
        ('print(f"{1} is no folder")', True),
        ("# there is no folder", False),
        ("# how to tell cats and dogs apart", False),
        ("tell = 1", False),
    ],
)
def test_old_phrases_are_found_in_comments_and_strings(tmp_path, text, is_old):
    assert bool(house.old_phrases([written(tmp_path, text)])) == is_old


def test_old_phrases_are_found_in_pages(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("One.\nIt cannot be had.\n")
    (row,) = house.old_phrases([], [page])
    assert row.endswith("page.md:2 'cannot be had' in: It cannot be had.")


@pytest.mark.parametrize(
    ("text", "is_annotated"),
    [
        ("def f(self, a: int) -> int: ...", True),
        ("def f(a: int): ...", False),
        ("def f(a, *, b: int) -> int: ...", False),
    ],
)
def test_annotations_are_of_arguments_and_result(text, is_annotated):
    (function,) = ast.parse(text).body
    assert house.is_annotated(function) == is_annotated


def test_every_measure_has_a_goal_and_a_value():
    # Of one module: the gate prints the measures of all.
    one = house.Source(house.ROOT / "zoo/spec.py")
    measures = {**house.layout_measures(), **house.word_measures([one])}
    assert set(measures) == set(house.GOALS)
    assert set(house.FOR_NOW) <= set(house.GOALS)
