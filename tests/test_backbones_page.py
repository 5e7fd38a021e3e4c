"""The tables of backbones are those of the catalog, and what they count is right."""

import importlib.util
import json
from pathlib import Path

import pytest

import zoo
from zoo.graph.multiply_adds import multiply_adds

ROOT = Path(__file__).parents[1]
FIGURES = json.loads((ROOT / "docs" / "backbone_figures.json").read_text())


@pytest.fixture(scope="module")
def script():
    """docs/backbone_table.py, which no package holds."""
    path = ROOT / "docs" / "backbone_table.py"
    spec = importlib.util.spec_from_file_location("backbone_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current(script):
    page = script.page()
    assert (ROOT / "docs" / "reference" / "backbones.md").read_text() == page, (
        "run `make docs`"
    )
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) == len(zoo.list_backbones()) >= 46
    for name in zoo.list_backbones():
        assert sum(row.startswith(f"| `{name}` |") for row in rows) == 1


def test_the_short_table_is_current(script):
    written = script.short_table()
    assert written.count("\n") == 8 + 1
    assert written in script.NETWORKS.read_text(), "run `make docs`"


def test_every_accuracy_has_a_source(script):
    published = [
        spec
        for spec in map(zoo.get_spec, zoo.list_backbones())
        if spec.imagenet_top1 is not None
    ]
    assert len(published) >= 43
    for spec in published:
        assert "](https://" in script._top1(spec), spec.name


def test_figures_are_of_backbones_that_exist():
    assert set(FIGURES["backbones"]) <= set(zoo.list_backbones())
    buildable = {n for n in zoo.list_backbones() if not zoo.get_spec(n).carries_weights}
    assert set(FIGURES["backbones"]) == buildable, "run benchmarks/backbones.py"


@pytest.mark.parametrize("name", ["tiny_image", "tiny_text", "tiny_series"])
def test_multiply_adds_are_counted_as_they_were(name):
    counted = multiply_adds(zoo.build(name, weights=None).model)
    assert counted == FIGURES["backbones"][name]["multiply_adds"]


@pytest.mark.parametrize(
    ("name", "published", "classifier"),
    [
        # https://arxiv.org/abs/1512.03385, 1801.04381, 1905.11946 and 2104.00298
        ("resnet50", 3.8e9, 2048 * 1000),
        ("mobilenet_v2", 300e6, 1280 * 1000),
        ("efficientnet_b0", 390e6, 1280 * 1000),
        ("densenet121", 2.87e9, 1024 * 1000),
        ("vgg16", 15.5e9, 7 * 7 * 512 * 4096 + 4096 * 4096 + 4096 * 1000),
        ("convnext_tiny", 4.5e9, 768 * 1000),
    ],
)
def test_multiply_adds_are_near_the_published_ones(name, published, classifier):
    counted = FIGURES["backbones"][name]["multiply_adds"] + classifier
    assert counted == pytest.approx(published, rel=0.03)
