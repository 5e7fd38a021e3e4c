"""The plot of accuracy by depth shows what `plan.json` holds."""

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from pipelines.report import depth_plot
from pipelines.runs.folder import RunFolder
from pipelines.runs.report import plot_depths
from tests.support.evidence import evidence


def _pixels(page: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page)).convert("RGB"))


def test_draw_shows_accuracy_and_divergence():
    without = _pixels(depth_plot.draw(evidence(far=False), title="net"))
    with_bars = _pixels(depth_plot.draw(evidence(far=True), title="net"))
    assert with_bars.shape[0] > without.shape[0] > 300
    other = evidence(far=False)
    other["depths"][1]["accuracy"] = 0.2
    moved = _pixels(depth_plot.draw(other, title="net"))
    assert (moved != without).any()
    assert (_pixels(depth_plot.draw(evidence(far=False), title="net")) == without).all()


def test_a_run_leaves_the_page_of_its_plan(finished_run):
    planned = json.loads((finished_run / "plan.json").read_text())
    page = depth_plot.draw(planned["evidence"], title="tiny_image")
    found = (finished_run / depth_plot.FILE_NAME).read_bytes()
    assert (_pixels(found) == _pixels(page)).all()


def test_without_matplotlib_it_says_what_brings_the_plot(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    caplog.set_level("INFO", logger="zootune")
    plot_depths(RunFolder(tmp_path), evidence(far=True), title="net")
    assert "pip install 'zootune[plot]'" in caplog.text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("measured", [None, evidence(far=False) | {"depths": [1]}])
def test_single_block_has_no_plot(measured, tmp_path):
    plot_depths(RunFolder(tmp_path), measured, title="net")
    assert list(tmp_path.iterdir()) == []


def test_settings_of_others_change_nothing():
    """Such as those of a matplotlibrc beside the data."""
    import matplotlib

    plain = depth_plot.draw(evidence(far=True), title="net")
    theirs = {"lines.linewidth": 20, "axes.facecolor": "black", "font.size": 3}
    with matplotlib.rc_context(theirs):
        found = depth_plot.draw(evidence(far=True), title="net")
        assert matplotlib.rcParams["font.size"] == 3
    assert (_pixels(found) == _pixels(plain)).all()
