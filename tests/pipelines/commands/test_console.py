import argparse
import json
import sys

import pytest

from pipelines.cli import main
from pipelines.commands import COMMANDS, console, doctor
from pipelines.commands.console import Answer
from pipelines.config import OPTIONS
from pipelines.errors import DataError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "arguments are required: COMMAND"),
        (["lst"], "invalid choice: 'lst'"),
        (["info"], "arguments are required: NAME"),
        (["list", "--modell"], "unrecognized arguments: --modell"),
        (["evaluate", "run"], "arguments are required: --data"),
        (["evaluate", "run", "--data=x", "--split=tset"], "invalid choice: 'tset'"),
        (["predict", "run"], "arguments are required: FILE"),
    ],
)
def test_wrong_usage_begins_with_the_fault(capsys, arguments, message):
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    sentence, usage, *_ = printed.err.splitlines()
    assert sentence.startswith("zoo: ")
    assert message in sentence
    assert usage.startswith("usage: zoo")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_ends_with_zero(capsys, command):
    assert main([command, "--help"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: zoo {command} ")
    assert ("--json" in printed) is (command != "serve")


@pytest.mark.parametrize("command", ["train", "plan", "tune"])
def test_help_lists_every_field(capsys, command):
    assert main([command, "--help"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for path, option in OPTIONS.items():
        assert f" --config.{path}=" in printed
        assert option.help in printed


class Checking:
    """A command with a result and a verdict; the progress goes to stdout."""

    SUMMARY = "check something"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name")

    def run(self, arguments: argparse.Namespace) -> Answer:
        print("progress")
        error = DataError("It is bad.") if arguments.name == "bad" else None
        return Answer({"name": arguments.name}, f"name: {arguments.name}", error)


@pytest.fixture
def checking(monkeypatch):
    monkeypatch.setattr(console, "command_named", lambda name: Checking())


@pytest.mark.parametrize(("name", "code"), [("good", 0), ("bad", 3)])
def test_execute_prints_the_answer_before_its_error(checking, capsys, name, code):
    assert console.execute("check", [name]) == code
    printed = capsys.readouterr()
    assert printed.out == f"progress\nname: {name}\n"
    assert printed.err == ("zoo: It is bad.\n" if code else "")


def test_execute_as_json_leaves_stdout_to_the_object(checking, capsys):
    assert console.execute("check", ["good", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"name": "good"}
    assert printed.err == "progress\n"


def test_every_command_module_has_the_same_parts():
    for name in COMMANDS:
        command = console.command_named(name)
        assert command.SUMMARY
        assert callable(command.add_arguments)
        assert callable(command.run)
    assert console.command_named("doctor") is doctor
    assert sys.modules["pipelines.commands.doctor"] is doctor
