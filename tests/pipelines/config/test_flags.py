import pytest

from pipelines.config import OPTIONS, RunConfig, field_paths
from pipelines.config.flags import described, parse
from pipelines.errors import ConfigError

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


def test_parse_no_flags_gives_the_default():
    assert parse([]) == RunConfig()


def test_parse_flags_override_fields_of_every_type():
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
def test_parse_tuples_with_or_without_brackets(text, units):
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
def test_parse_booleans(flag, value):
    assert parse([flag]).overwrite is value


def test_parse_values_may_follow_their_flag():
    config = parse(["--config.data", "dir:photos", "--config.seed", "3"])
    assert (config.data, config.seed) == ("dir:photos", 3)


def test_parse_flags_override_the_file_before_them(write_config):
    file = write_config(GOOD_FILE)
    assert parse([file]).head.epochs == 4
    config = parse([file, "--config.head.epochs=2"])
    assert config.head.epochs == 2
    assert config.data == "dir:from-file"
    with pytest.raises(ConfigError, match="before a value for --config was specified"):
        parse(["--config.head.epochs=2", file])


def test_parse_twice_shares_no_state(write_config):
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
def test_parse_bad_flag_is_a_config_error(flag, message):
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
def test_parse_file_without_config_is_a_config_error(write_config, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parse([write_config(text)])
    assert "\n" not in str(caught.value)


def test_parse_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="No such file or directory: '.*/none.py'"):
        parse([f"--config={tmp_path / 'none.py'}"])
    with pytest.raises(ConfigError, match="No such file or directory: '.*/none.py'"):
        parse([f"--config={tmp_path / 'none.py'}", "--config.seed=3"])


@pytest.mark.parametrize(
    "flag", ["--backbone=vgg16", "--head.dropout", "--nooverwrite"]
)
def test_parse_field_without_prefix_names_the_prefix(flag):
    name = flag.removeprefix("--").removeprefix("no").partition("=")[0]
    with pytest.raises(ConfigError, match=f"There is no flag .*--config.{name}=VALUE"):
        parse([flag])
    assert parse([f"--config.{name}={getattr(RunConfig(), name, 0.2)}"])


def test_described_lists_every_field_with_its_sentence():
    lines = described()
    flags = [line for line in lines if line.startswith("  --config.")]
    assert len(flags) == len(field_paths())
    assert "  --config.seed=0  0 to 2147483647" in lines
    assert "  --config.strategy=auto  one of auto, head_only, partial, full, cut" in [
        line.removesuffix(", scratch") for line in flags
    ]
    text = " ".join(" ".join(lines).split())
    assert all(option.help in text for option in OPTIONS.values())
    assert max(map(len, lines)) <= 88


def test_described_has_a_title_for_each_group():
    lines = described()
    titles = [line for line in lines if line and not line.startswith(" ")]
    assert titles[0] == "The run:"
    assert "The phases that train blocks of the backbone:" in titles
    assert len(titles) == 11
