"""Paths and modules that the docs, the README and the configs name are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "configs").glob("*.py")),
]
PATH = re.compile(r"\b(?:zoo|pipelines|tests|benchmarks|configs)(?:/[\w-]+)+(?:\.\w+)?")
MODULE = re.compile(r"\b(?:zoo|pipelines)(?:\.\w+)+")


def _exists(path: Path) -> bool:
    return path.exists() or path.with_suffix(".py").exists()


def _defines(dotted: str) -> bool:
    """True if there is a module of that name, or one that defines its last part."""
    *folders, name = dotted.split(".")
    if _exists(ROOT.joinpath(*folders, name)):
        return True
    place = ROOT.joinpath(*folders)
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    if file.is_file():
        return re.search(rf"\b{name}\b", file.read_text()) is not None
    return len(folders) > 1 and _defines(".".join(folders))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_and_modules_of_a_page_exist(page: Path) -> None:
    text = page.read_text()
    assert not [path for path in set(PATH.findall(text)) if not _exists(ROOT / path)]
    assert not [name for name in set(MODULE.findall(text)) if not _defines(name)]


def test_an_old_module_is_not_found() -> None:
    assert len(PAGES) > 30
    assert _defines("pipelines.training.receipt.WeightChange")
    assert not _defines("pipelines.training.start.Start")
    assert not _exists(ROOT / "pipelines/training/start.py")
