"""Values in Markdown are text, whatever they hold."""

import pytest

from pipelines.display.markdown import escaped


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain name", "plain name"),
        ("<script>&", "&lt;script&gt;&amp;"),
        ("a|b", "a\\|b"),
        ("[x](http://x)", "\\[x\\](http://x)"),
        ("`a` *b* _c_", "\\`a\\` \\*b\\* \\_c\\_"),
        ("two\nlines", "two\\\\nlines"),
        ("![i](x)", "\\!\\[i\\](x)"),
    ],
)
def test_text_is_escaped(text, expected):
    assert escaped(text) == expected
