"""Every section of `benchmarks/RESULTS.md` is shown by a page, and each only once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = (ROOT / "benchmarks/RESULTS.md").read_text()
INCLUDE = re.compile(
    r"^```\{(?:include|literalinclude)\} \.\./\.\./benchmarks/RESULTS\.md\n(.*?)^```",
    re.MULTILINE | re.DOTALL,
)


def _shown(options: str) -> tuple[int, int]:
    """The part of the file that a directive shows, as offsets."""
    marks = dict(re.findall(r'^:([\w-]+): "(.*)"$', options, re.MULTILINE))
    start = RESULTS.index(marks["start-after"])
    end = marks.get("end-before")
    return start, RESULTS.index(end, start + 1) if end else len(RESULTS)


@pytest.fixture(scope="module")
def shown() -> list[tuple[int, int]]:
    pages = sorted((ROOT / "docs/results").glob("*.md"))
    return [
        _shown(part) for page in pages for part in INCLUDE.findall(page.read_text())
    ]


def test_each_section_of_results_is_shown_once(shown):
    sections = [(m.start(), m[1]) for m in re.finditer("^## (.*)", RESULTS, re.M)]
    assert len(sections) > 15
    for offset, name in sections:
        pages = [part for part in shown if part[0] <= offset < part[1]]
        assert len(pages) == 1, f"{name} is shown {len(pages)} times"
