"""A comparison to read: on a terminal and as a page."""

import html
import json

import pytest

from pipelines.comparison.compare import compare
from pipelines.comparison.text import as_page, as_text, verdicts
from tests.support.finished_runs import finished

NAMES = [f"class {k}" for k in range(1000)]
FIRST = [(f"{i}.jpg", NAMES[i % 1000], NAMES[0], 0.9) for i in range(1200)]
BETTER = [(name, label, label, 0.9) for name, label, *_ in FIRST]


@pytest.fixture
def compared(tmp_path):
    folders = [
        finished(tmp_path / "first", FIRST),
        finished(tmp_path / "<b>bold", BETTER, config={"head": {"kind": "<i>"}}),
        finished(tmp_path / "again", FIRST),
    ]
    return compare(folders, resamples=100)


def test_text_says_which_run_is_better(compared):
    better, same = verdicts(compared)
    assert "better accuracy (+0.9983), better balanced accuracy (+0.9990)" in better
    assert "no difference that is more than chance" in same
    text = as_text(compared)
    assert text.startswith("All 1200 test examples are the same ones in all runs.")
    assert "right in only one of them: 1198 in" in text
    assert "Settings that differ" in text
    assert better in text


def test_page_escapes_names_and_loads_nothing(compared):
    page = as_page(compared)
    assert "&lt;b&gt;bold" in page
    assert "<b>" not in page
    assert "<i>" not in page
    assert "default-src 'none'" in page
    assert not {"<script", "http:", "https:", "src="} & set(page.split())
    for sentence in verdicts(compared):
        assert html.escape(sentence, quote=False) in html.unescape(page) or (
            html.escape(sentence) in page
        )
    assert len(json.dumps(compared.values())) < 10_000  # nothing for each class
