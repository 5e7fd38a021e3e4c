"""The README is short and true: its code runs, its commands are those of Start."""

import re
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, Block, blocks, hidden_commands
from tests.docs.runner import Runner

README = ROOT / "README.md"
TEXT = README.read_text()
MOST_LINES = 150


def test_the_readme_is_short():
    assert len(TEXT.splitlines()) <= MOST_LINES


def test_commands_are_run_on_the_first_page():
    page = blocks(ROOT / "docs/start/first_model.md")
    run = "".join(block.text for block in page if block.is_code and not block.not_run)
    commands = [b for b in blocks(README) if b.language == "sh" and not b.not_run]
    assert len(commands) == 3
    for block in commands:
        for line in re.split(r"(?<!\\)\n", block.text.strip()):
            assert line in run
    assert hidden_commands(README) == []


@pytest.mark.slow
@pytest.mark.weights
def test_python_runs_as_it_stands(tmp_path):
    runner = Runner(tmp_path)
    # Fewer than on the page, where an accuracy is to be seen.
    runner.run(Block(README, 1, "sh", "zoo demo photos --to photos --limit 4"))
    (python,) = [b for b in blocks(README) if b.language == "python"]
    assert runner.run(python).splitlines()[-1] in set("0123456789")


def test_make_targets_exist():
    targets = set(re.findall(r"^make (\w+)", TEXT, re.MULTILINE))
    assert targets == {"quickstart", "test"}
    defined = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    assert targets | {"docs"} <= defined


def test_links_lead_to_files():
    links = re.findall(r"\]\((?!https?:)([^)#]+)", TEXT)
    assert len(links) > 20
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_files_and_folders_on_the_map_exist():
    page = (ROOT / "docs/contributing.md").read_text()
    layout = re.search(r"^zoo/ .*?\n```", page, re.MULTILINE | re.DOTALL).group()
    names = re.findall(r"([a-z_]+(?:/[a-z]+)*)/ ", layout)
    assert len(names) >= 12
    for name in names:
        places = [ROOT / parent / name for parent in ("", "zoo", "pipelines")]
        assert any(Path(place).is_dir() for place in places), name
