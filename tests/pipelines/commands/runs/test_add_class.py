import pytest

from pipelines.classes import update
from pipelines.cli import main
from pipelines.errors import ConfigError


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "A new class needs --name and --data"),
        (["--name=wolf"], "A new class needs --name and --data"),
        (["--remove=a", "--merge=a,b"], "--remove goes with neither"),
        (["--remove=a", "--name=b"], "--remove goes with neither"),
    ],
)
def test_add_class_asks_for_one_change(capsys, flags, message):
    assert main(["add-class", "run", *flags]) == 2
    assert message in capsys.readouterr().err


def test_add_class_of_unfinished_run_exits_2(capsys, tmp_path):
    code = main(["add-class", str(tmp_path), "--name=wolf", "--data=dir:wolf"])
    assert code == 2
    assert "not the folder of a finished run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "names"),
    [
        ("a,b", ["a", "b"]),
        ("a, b", ["a", "b"]),
        ('"a,b",c', ["a,b", "c"]),
        ("a,", ["a", ""]),
        ('it"s,c', ['it"s', "c"]),
    ],
)
def test_merged_names_are_quoted_as_csv(monkeypatch, capsys, flag, names):
    def refuse(*_, **asked):
        raise ConfigError(repr(asked["names"]))

    monkeypatch.setattr(update, "merge_classes", refuse)
    assert main(["add-class", "run", "--merge", flag]) == 2
    assert repr(names) in capsys.readouterr().err
