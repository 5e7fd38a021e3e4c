"""Plots are elements of a page: in its colours, with ids of their own, described."""

from __future__ import annotations

import re
import sys

from pipelines.report.plots.svg import COLOURS, can_draw, svg


def _draw(figure) -> None:
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=COLOURS["blue"], marker="o", label="<$a_b$ & c>")
    axes.legend()


def test_plot_takes_colours_and_font_of_the_page():
    plot = svg("plot", _draw, label='a "name" <of> a class')
    assert 'role="img"' in plot
    assert 'aria-label="a &#34;name&#34; &lt;of&gt; a class"' in plot
    assert "stroke: var(--blue)" in plot
    assert "fill: var(--ink)" in plot
    assert not re.search(r"#[0-9a-f]{6}\b|https?:|font-family|<style|<metadata", plot)
    assert "&lt;$a_b$ &amp; c&gt;</text>" in plot


def test_same_plot_is_the_same_text():
    import matplotlib

    plain = svg("plot", _draw, label="")
    theirs = {"lines.linewidth": 20, "svg.hashsalt": "x", "svg.fonttype": "path"}
    with matplotlib.rc_context(theirs):
        assert svg("plot", _draw, label="") == plain


def test_ids_of_two_plots_differ():
    ids = [
        set(re.findall(r'\bid="([^"]*)"', svg(name, _draw, label="")))
        for name in ("first", "second")
    ]
    assert ids[0]
    assert not ids[0] & ids[1]
    plot = svg("first", _draw, label="")
    referred = set(re.findall(r"url\(#([^)]*)\)", plot))
    referred |= set(re.findall(r'href="#([^"]*)"', plot))
    assert referred
    assert referred <= ids[0]


def test_no_plot_without_matplotlib(monkeypatch):
    assert can_draw()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert svg("plot", _draw, label="") is None
