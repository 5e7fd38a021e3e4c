"""The paths and names on the page for contributors exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "contributing.md").read_text()
SIX = (
    *("a backbone", "a rule for splits", "a column or row of the result table"),
    *("an error of the REST interface", "an augmentation", "a kind of export"),
)


def test_paths_on_the_page_exist():
    paths = re.findall(r"`((?:zoo|pipelines|zootune|configs|tests)/[\w/.]*)`", PAGE)
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_six_additions_have_a_place_and_a_test():
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
    places = {name: (place, test) for name, place, test in rows}
    for name in SIX:
        place, test = places[name]
        assert re.search(r"`(zoo|pipelines)/", place), name
        assert "tests/" in test or "contract suite" in test


def test_functions_on_the_page_are_in_their_files():
    for name, path in (
        ("_assign", "pipelines/data/splitting.py"),
        ("result_table", "pipelines/display/result_table.py"),
        ("report", "pipelines/runs/record.py"),
        ("_operations", "pipelines/data/input/augment.py"),
        ("chosen_augmentation", "pipelines/training/class_weighting.py"),
    ):
        assert f"`{name}`" in PAGE
        assert f"\ndef {name}(" in (ROOT / path).read_text()


def test_glossary_has_each_word_once():
    text = (ROOT / "docs" / "glossary.md").read_text()
    words = re.findall(r"^\| ([^|]+) \| ", text, re.MULTILINE)[2:]
    assert 25 <= len(words) == len(set(words)) <= 50
    assert words == sorted(words)
