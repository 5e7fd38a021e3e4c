from pathlib import Path

import pytest

from pipelines import main as entry
from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.main import main, parse

HEADER = "from pipelines.config import RunConfig\n"
GOOD_FILE = HEADER + (
    "def get_config():\n"
    "    config = RunConfig()\n"
    "    config.data = 'dir:from-file'\n"
    "    config.head.epochs = 4\n"
    "    return config\n"
)


@pytest.fixture
def write_config(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "experiment.py"
        path.write_text(text)
        return f"--config={path}"

    return write


def test_no_flags_give_the_default_config():
    assert parse([]) == RunConfig()


def test_flags_override_fields_of_every_type():
    config = parse(
        [
            "--config.data=dir:a?b=c&d=e",
            "--config.seed=3",
            "--config.time_budget_seconds=60",
            "--config.overwrite",
            "--config.head.dropout=0.5",
            "--config.head.hidden_units=(16, 8)",
            "--config.finetune.learning_rate=1e-4",
        ]
    )
    assert config.data == "dir:a?b=c&d=e"
    assert config.seed == 3
    assert config.time_budget_seconds == 60.0
    assert config.overwrite is True
    assert config.head.dropout == 0.5
    assert config.head.hidden_units == (16, 8)
    assert config.finetune.learning_rate == 1e-4


@pytest.mark.parametrize(
    ("text", "units"), [("16", (16,)), ("16,8", (16, 8)), ("()", ())]
)
def test_tuples_are_written_with_or_without_brackets(text, units):
    config = parse([f"--config.head.hidden_units={text}"])
    assert config.head.hidden_units == units


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--config.overwrite", True),
        ("--config.overwrite=true", True),
        ("--config.overwrite=False", False),
        ("--noconfig.overwrite", False),
    ],
)
def test_booleans(flag, value):
    assert parse([flag]).overwrite is value


def test_values_may_follow_their_flag():
    config = parse(["--config.data", "dir:photos", "--config.seed", "3"])
    assert (config.data, config.seed) == ("dir:photos", 3)


def test_flags_override_the_file_that_stands_before_them(write_config):
    file = write_config(GOOD_FILE)
    assert parse([file]).head.epochs == 4
    config = parse([file, "--config.head.epochs=2"])
    assert config.head.epochs == 2
    assert config.data == "dir:from-file"
    with pytest.raises(ConfigError, match="before a value for --config was specified"):
        parse(["--config.head.epochs=2", file])


def test_two_parses_share_no_state(write_config):
    first = parse([write_config(GOOD_FILE), "--config.seed=3", "--config.overwrite"])
    second = parse([])
    assert (first.seed, first.overwrite) == (3, True)
    assert second == RunConfig()


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        (
            "--config.stratgy=full",
            r"no config\.stratgy\. Did you mean config\.strategy\?",
        ),
        ("--config.head.dropuot=1", r"Did you mean config\.head\.dropout\?"),
        ("--noconfig.overwrit", r"Did you mean config\.overwrite\?"),
        ("--config.zzzzz=1", r"no config\.zzzzz\. The fields are data, backbone,"),
        ("--config.head=x", r"no config\.head\."),
        ("--config.seed=x", r"--config\.seed=x: .*'x'"),
        ("--config.seed=1.5", r"--config\.seed=1\.5: .*'1\.5'"),
        ("--config.head.dropout=much", r"--config\.head\.dropout=much: .*'much'"),
        ("--config.overwrite=maybe", r"--config\.overwrite=maybe: .*boolean"),
        ("--config.seed", r"Missing value for flag --config\.seed"),
        ("--sead=3", r"Unknown command line flag 'sead'.*lists the fields"),
        ("stray", r"Only flags are expected, got \['stray'\]"),
    ],
)
def test_a_flag_that_cannot_be_used_is_a_config_error(flag, message):
    with pytest.raises(ConfigError, match=message):
        parse([flag])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "def get_config(:\n",
            r"SyntaxError: invalid syntax \(experiment\.py, line 1\)",
        ),
        ("import no_such_module\n", r"ModuleNotFoundError: .*no_such_module"),
        ("SEED = 3\n", r"no attribute 'get_config'\. A config file has a function"),
        ("def get_config():\n    return None\n", r"None value"),
        (
            "def get_config():\n    return {}\n",
            r"TypeError: get_config\(\) gave a dict",
        ),
        (
            "def get_config():\n    return 1 / 0\n",
            "ZeroDivisionError: division by zero",
        ),
        (
            GOOD_FILE.replace("config.data", "config.dtaa"),
            "AttributeError: 'RunConfig' object has no attribute 'dtaa'",
        ),
        (
            HEADER + "def get_config():\n    return RunConfig(seeed=1)\n",
            "TypeError: .*unexpected keyword argument 'seeed'",
        ),
    ],
)
def test_a_file_that_gives_no_config_is_a_config_error(write_config, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parse([write_config(text)])
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="No such file or directory: '.*/none.py'"):
        parse([f"--config={tmp_path / 'none.py'}"])
    with pytest.raises(ConfigError, match="No such file or directory: '.*/none.py'"):
        parse([f"--config={tmp_path / 'none.py'}", "--config.seed=3"])


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_field(flag, capsys):
    assert main([flag]) == 0
    printed = capsys.readouterr().out
    assert "--config=FILE" in printed
    assert (
        "--config.finetune.batchnorm=frozen  one of frozen, trained, reestimated"
        in printed
    )


def test_usage_errors_are_found_before_tensorflow_is_imported(fresh_process):
    code = (
        "import sys; from pipelines.main import main; code = main(sys.argv[1:]);"
        " print(code, {'tensorflow', 'keras'} & set(sys.modules))"
    )
    for flags, message in (
        (["--config.sed=3"], "zoo: There is no config.sed."),
        (["--config.data=dir:x"], "zoo: config.workdir is empty."),
        (
            ["--config.data=dir:x", "--config.workdir=y", "--config.strategy=z"],
            "zoo: config.strategy is 'z'; allowed: auto,",
        ),
    ):
        ended = fresh_process(code, *flags)
        assert ended.stdout == "2 set()\n"
        assert ended.stderr.startswith(message)


def test_a_run_through_the_entry_point(tiny_flags, tmp_path, capsys):
    assert main(tiny_flags) == 0
    printed = capsys.readouterr().out
    assert "test accuracy" in printed
    assert str(tmp_path / "run" / "artifact" / "1") in printed
    assert (tmp_path / "run" / "report.json").is_file()


def test_the_entry_point_stays_short():
    assert len(Path(entry.__file__).read_text().splitlines()) < 80


@pytest.mark.parametrize(
    "flag", ["--backbone=vgg16", "--head.dropout", "--nooverwrite"]
)
def test_a_field_without_its_prefix_is_told_the_prefix(flag):
    name = flag.removeprefix("--").removeprefix("no").partition("=")[0]
    with pytest.raises(ConfigError, match=f"There is no flag .*--config.{name}=VALUE"):
        parse([flag])
    assert parse([f"--config.{name}={getattr(RunConfig(), name, 0.2)}"])
