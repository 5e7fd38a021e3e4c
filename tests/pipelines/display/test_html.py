"""Pages escape every value, load nothing, and are ASCII."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from pipelines.display.html import Table, document, part

HOSTILE = '<script>alert("1")</script>'


def confusion(names: list[str]) -> str:
    return part(
        "confusion.html",
        split="test",
        examples=4,
        wrong=1,
        names=names,
        matrix=[[2, 1], [0, 1]],
        pairs=Table("pairs", ("a", "b"), []),
        more=0,
    )


def audit(title: str, counts: dict[str, int]) -> str:
    return document(
        "audit.html", title=title, examples=3, counts=counts, fit=True, findings=[]
    )


def test_values_are_escaped_and_shown_on_one_line() -> None:
    page = audit("two\nlines \u202e", {HOSTILE: 3})
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#34;1&#34;)" in page
    assert r"<h1>two\nlines \u202e</h1>" in page
    assert page.isascii()


def test_names_beyond_ascii_are_references() -> None:
    assert "&#28450;" in audit("漢", {})


def test_policy_forbids_everything_from_elsewhere() -> None:
    page = audit("x", {})
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    assert "http://" not in page
    assert "https://" not in page


def test_part_is_not_escaped_again() -> None:
    html = confusion(["a", HOSTILE])
    assert "<script" not in html
    assert html.count('<th scope="col">') == 3
    assert '<td class="none">0</td>' in html


def test_cells_stand_left_right_and_dashed() -> None:
    table = Table(
        "scores", ("name", "x", "y", "z"), [("a", 1, 0.5, None), ("b", "c", 2, 3)]
    )
    html = part(
        "confusion.html",
        split="test",
        examples=4,
        wrong=1,
        names=[],
        matrix=None,
        pairs=table,
        more=0,
    )
    assert '<th scope="row">a</th><td class="number">1</td>' in html
    assert '<td class="number">0.5000</td><td class="number">-</td>' in html
    assert '<th scope="row">b</th><td>c</td>' in html


def test_missing_value_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        document("audit.html", title="x")
