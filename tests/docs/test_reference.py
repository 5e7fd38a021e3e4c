"""The reference has every command, field, function, signature, exit code and error."""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import re
import sys
from pathlib import Path

import pytest

import zootune
from pipelines.commands import COMMANDS
from pipelines.commands.console import parser_of
from pipelines.config import OPTIONS, RunConfig, field_paths, to_dict
from pipelines.display.records import dotted
from pipelines.runtime import exit_codes

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
sys.path.insert(0, str(ROOT / "docs"))

from generators import commands, config, errors, markdown, python_api  # noqa: E402
from generators.extension import slug, with_generated  # noqa: E402
from generators.messages import Message, error_classes, messages  # noqa: E402
from generators.remedies import BY_PLACE, BY_TEXT, advice, by_hand  # noqa: E402


def _page(name: str) -> str:
    return with_generated((REFERENCE / f"{name}.md").read_text())


@pytest.fixture(scope="module")
def all_messages() -> list[Message]:
    bases = error_classes()
    kinds = {name: errors.family_of(name, bases) for name in bases}
    return messages({name: family for name, family in kinds.items() if family})


def test_every_command_and_flag_is_there():
    text = _page("commands")
    assert re.findall(r"^## zoo (\w[\w-]*)$", text, re.MULTILINE) == list(COMMANDS)
    for name in COMMANDS:
        section = text.split(f"\n## zoo {name}\n")[1].split("\n## ")[0]
        flags = [f for a in parser_of(name)._actions for f in a.option_strings]
        assert "--debug" in flags
        assert [flag for flag in flags if flag not in section] == []


def test_every_field_is_there_with_its_facts():
    text = _page("config")
    fields = re.findall(r"^### config\.([\w.]+)$", text, re.MULTILINE)
    assert sorted(fields) == sorted(field_paths())
    assert len(fields) > 50
    defaults = dotted(to_dict(RunConfig()))
    for path in fields:
        section = text.split(f"\n### config.{path}\n")[1].split("\n### ")[0]
        option = OPTIONS[path]
        assert option.help in section
        assert (str(defaults[path] or "") or "Default: ") in section
        assert all(f"`{choice}`" in section for choice in option.choices)
        if option.bounds:
            assert f"{option.bounds[1]:.10g}" in section


def test_every_export_is_there():
    text = _page("python")
    kinds = {"class": [], "exception": [], "function": []}
    for kind, name in re.findall(r"^\.\. auto(\w+):: zootune\.(\w+)$", text, re.M):
        kinds[kind].append(name)
    assert sorted(itertools.chain(*kinds.values())) == sorted(python_api.exported())
    assert len(kinds["function"]) == sum(
        inspect.isfunction(getattr(zootune, name)) for name in python_api.exported()
    )


def test_every_exit_code_is_there():
    rows = re.findall(r"^\| (\d+) \| \w", _page("errors"), re.MULTILINE)
    numbers = {v for n, v in vars(exit_codes).items() if n.isupper() and type(v) is int}
    assert {int(row) for row in rows} >= numbers | set(exit_codes.CODES.values())
    assert len(numbers) == 5
    assert set(errors.FAMILIES) == {kind.__name__ for kind in exit_codes.CODES}


def test_every_signature_and_output_is_there(finished_run):
    text = (REFERENCE / "artifact.md").read_text()
    (path,) = finished_run.glob("artifact/1/zoo_artifact.json")
    manifest = json.loads(path.read_text())
    names = re.findall(r"^\| `(\w+)`", text.split("## Signatures")[1], re.MULTILINE)
    for name, signature in manifest["signatures"].items():
        assert name in names
        for value in (*signature["inputs"], *signature["outputs"]):
            assert f"`{value}`" in text
    assert {f"`{key}`" for key in manifest} <= set(re.findall(r"`[\w.]+`", text))


def test_every_file_of_a_run_is_there(finished_run):
    text = (REFERENCE / "run_folder.md").read_text()
    inside = [path.name for path in finished_run.iterdir()]
    assert [name for name in inside if f"`{name}" not in text] == []
    report = json.loads((finished_run / "report.json").read_text())
    assert [key for key in report if f"`{key}`" not in text] == []


def test_every_error_says_what_to_do(all_messages):
    assert len(all_messages) > 400
    silent = [f"{m.place}: {m.text}" for m in all_messages if not advice(m)]
    assert silent == [], "let the message say it, or docs/generators/remedies.py"


def test_advice_by_hand_is_for_errors_that_exist(all_messages):
    used = {by_hand(message)[0] for message in all_messages if not message.advice}
    assert set(BY_TEXT) <= used
    for place in BY_PLACE:
        assert (ROOT / place).is_dir() or (ROOT / f"{place}.py").is_file()


def test_every_raise_with_a_text_is_listed(all_messages):
    texts = {message.text for message in all_messages}
    kinds = {m.error for m in all_messages}
    count = 0
    for package in ("zoo", "pipelines"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                    call = node.exc
                    name = getattr(call.func, "id", "")
                    literal = call.args[:1] and isinstance(call.args[0], ast.Constant)
                    if name in kinds and literal:
                        count += 1
                        assert " ".join(str(call.args[0].value).split()) in texts
    assert count > 10


def test_errors_are_grouped_under_their_exit_codes():
    text = errors.page()
    headings = re.findall(r"^## .*: exit code (\d)$", text, re.MULTILINE)
    assert headings == ["2", "3", "4", "4", "5"]
    training = text.split("## Training")[1]
    assert "The loss became … in epoch" in training
    assert "config.overwrite" in text


def test_errors_of_the_server_have_both_codes():
    rows = errors.server_page().splitlines()
    assert len(rows) > 40
    assert [row for row in rows if not re.match(r"\| (HTTP|---|[45]\d\d) ", row)] == []
    assert any(row.startswith("| 404 | NOT_FOUND |") for row in rows)
    assert any(row.startswith("| 413 |") for row in rows)


@pytest.mark.parametrize(
    ("source", "first", "rest"),
    [
        ('E(f"{x} is bad. Use {y}.")', "… is bad.", "Use …."),
        ('E(f"{x} is bad; use " f"{y}")', "… is bad", "use …"),
        ('E("Nothing is here.")', "Nothing is here.", ""),
    ],
)
def test_messages_fall_into_fault_and_advice(source, first, rest):
    from generators.messages import shown

    message = Message("E", shown(ast.parse(source).body[0].value.args[0]), "x.py")
    assert (message.first_words, message.advice) == (first, rest)


def test_signs_of_a_message_mean_nothing():
    assert markdown.plain("see `a*b` and <c> [d]") == r"see `a*b` and \<c\> \[d\]"
    assert markdown.plain("an open ` sign") == r"an open \` sign"
    assert markdown.code("a`b") == "`` a`b ``"
    assert markdown.cell("a\n|b") == r"a \|b"


def test_unknown_marks_are_refused():
    assert with_generated("a\n% generated: exit codes\n").count("| 143 |") == 1
    with pytest.raises(KeyError):
        with_generated("% generated: nothing\n")


def test_slugs_are_stable():
    assert slug("zoo train") == "zoo-train"
    assert slug("config.finetune.ema_decay") == "config-finetune-ema_decay"
    assert slug("What's new? `x`") == "whats-new-x"


def test_defaults_and_names_of_flags_are_shown():
    section = commands.section("serve")
    assert "| `--rest-port` | `8501` |" in section
    assert "| `BASE` |" in section
    assert config.section("seed").count("\n* ") == 3
