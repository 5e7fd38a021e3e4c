"""Few classes have a matrix, many the most frequent confusions."""

from __future__ import annotations

import numpy as np

from pipelines.report.confusion_page import confusion


def test_no_confusion_is_a_sentence() -> None:
    html = confusion("test", [[3, 0], [0, 4]], ["a", "b"])
    assert html.strip() == "<p>test: all 7 examples were right.</p>"


def test_matrix_marks_right_and_wrong() -> None:
    html = confusion("test", [[3, 1], [0, 4]], ["a", "b"])
    assert html.count("<td") == 4
    assert '<td class="right" style="--share: 36%">3</td>' in html  # of 4
    assert '<td class="wrong" style="--share: 19%">1</td>' in html  # of 4
    assert "rows are the true class" in html


def test_many_classes_list_most_frequent_first() -> None:
    counts = np.eye(30, dtype=int) * 9
    counts[4, 7], counts[2, 3] = 5, 1
    html = confusion("validation", counts.tolist(), [f"class {i}" for i in range(30)])
    first, second = html.split("<tbody>")[1].split("</tr>")[:2]
    assert ("class 4" in first, "class 7" in first, "0.3571" in first) == (True,) * 3
    assert "class 2" in second
    assert "matrix" not in html


def test_ten_thousand_classes_stay_small() -> None:
    pairs = [(i, i, 3) for i in range(10_000)]
    pairs += [(i, (i + 1) % 10_000, 1) for i in range(10_000)]
    names = [f"class {i}" for i in range(10_000)]
    html = confusion("test", pairs, names, form="pairs")
    assert "10000 of 40000 examples were wrong" in html
    assert "9960 other pairs" in html
    assert len(html) < 20_000
