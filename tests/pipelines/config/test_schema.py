import ast
import dataclasses
from pathlib import Path

import pytest

import pipelines
from pipelines import config as configs
from pipelines.config import BOUNDS, CHOICES, HeadConfig, RunConfig, checked
from pipelines.errors import ConfigError

# Text that no fixed set of values bounds.
FREE_TEXT = {"data", "backbone", "handle", "weights", "workdir"}


def valid(**fields) -> RunConfig:
    return RunConfig(data="builtin:digits", workdir="run", **fields)


def with_value(path: str, value: object) -> RunConfig:
    config = valid()
    owner = config
    *groups, name = path.split(".")
    for group in groups:
        owner = getattr(owner, group)
    setattr(owner, name, value)
    return config


def value_of(config: RunConfig, path: str) -> object:
    found: object = config
    for name in path.split("."):
        found = getattr(found, name)
    return found


def in_type_of_field(path: str, number: float) -> object:
    default = value_of(RunConfig(), path)
    if isinstance(default, tuple):
        return (type(default[0])(number),) if default else (int(number),)
    return type(default)(number)


def test_a_default_config_with_data_and_workdir_passes():
    assert checked(valid()) == valid()


def test_checked_gives_a_copy_that_shares_nothing():
    config = valid()
    copy = checked(config)
    copy.head.dropout = 0.5
    assert config.head.dropout == HeadConfig().dropout


@pytest.mark.parametrize("field", ["data", "workdir", "backbone"])
def test_an_empty_field_is_refused_with_an_example(field):
    config = with_value(field, "")
    with pytest.raises(
        ConfigError, match=rf"config\.{field} is empty.*--config\.{field}="
    ):
        checked(config)


@pytest.mark.parametrize("path", CHOICES)
def test_every_choice_passes_and_another_is_refused(path):
    assert CHOICES[path]
    for choice in CHOICES[path]:
        config = with_value(path, choice)
        if path == "head.pooling" and choice != "average":
            config.head.init = "epsilon"  # a probe refuses it
        assert value_of(checked(config), path) == choice
    allowed = ", ".join(CHOICES[path])
    with pytest.raises(
        ConfigError, match=f"config.{path} is 'other'; allowed: {allowed}"
    ):
        checked(with_value(path, "other"))


@pytest.mark.parametrize("path", BOUNDS)
def test_bounds_pass_and_what_is_beyond_them_is_refused(path):
    low, high = BOUNDS[path]
    for bound in (low, high):
        config = with_value(path, in_type_of_field(path, bound))
        if path == "head.hidden_units":
            config.head.init = "epsilon"
        checked(config)
    sample = in_type_of_field(path, low)
    sample = sample[0] if isinstance(sample, tuple) else sample
    step = 1 if isinstance(sample, int) else low / 2 + 1e-9
    for beyond in (low - step, high + max(step, high)):
        with pytest.raises(
            ConfigError, match=f"config.{path} is .*; allowed: .* to .*"
        ):
            checked(with_value(path, in_type_of_field(path, beyond)))


def test_a_number_that_is_none_is_out_of_bounds():
    with pytest.raises(
        ConfigError, match="config.head.dropout is nan; allowed: 0 to 0.95"
    ):
        checked(with_value("head.dropout", float("nan")))


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("seed", "3", "a whole number"),
        ("seed", True, "a whole number"),
        ("batch_size", 32.0, "a whole number"),
        ("head.dropout", "0.5", "a number"),
        ("overwrite", 1, "True or False"),
        ("workdir", Path("run"), "text"),
        ("weights", None, "text"),
        ("head.hidden_units", 64, "a tuple of whole numbers"),
        ("head.hidden_units", ("a",), "a tuple of whole numbers"),
        ("head.hidden_units", (8.0,), "a tuple of whole numbers"),
        ("calibration.conformal_levels", 0.9, r"a tuple of numbers, such as \(0.95"),
        ("calibration.conformal_levels", ("a",), "a tuple of numbers"),
        ("calibration.conformal_levels", (True,), "a tuple of numbers"),
        ("head", {"dropout": 0.5}, "HeadConfig"),
    ],
)
def test_a_value_of_another_type_is_refused(path, value, expected):
    with pytest.raises(ConfigError, match=f"config.{path} is .*; expected {expected}"):
        checked(with_value(path, value))


def test_a_whole_number_is_a_number():
    assert checked(with_value("time_budget_seconds", 60)).time_budget_seconds == 60


@pytest.mark.parametrize(
    "fields", [{"hidden_units": (8,)}, {"pooling": "flatten"}], ids=str
)
def test_a_probe_needs_one_layer_on_pooled_features(fields):
    with pytest.raises(ConfigError, match="init='probe' needs one dense layer"):
        checked(valid(head=HeadConfig(init="probe", **fields)))
    checked(valid(head=HeadConfig(init="epsilon", **fields)))


def test_prediction_sets_need_a_level():
    config = with_value("calibration.conformal_levels", (0.9, 0.5))
    assert checked(config).calibration.conformal_levels == (0.9, 0.5)
    with pytest.raises(ConfigError, match="conformal_levels is empty.*to \\(0.95,\\)"):
        checked(with_value("calibration.conformal_levels", ()))


def test_a_handle_goes_with_the_backbone_that_takes_one():
    config = valid(backbone="tfhub", handle="modules/lite0")
    assert checked(config).handle == "modules/lite0"
    with pytest.raises(
        ConfigError, match=r"config\.handle is empty.*--config\.handle="
    ):
        checked(valid(backbone="tfhub"))
    with pytest.raises(ConfigError, match="'tiny_image' takes none.*backbone to tfhub"):
        checked(valid(backbone="tiny_image", handle="modules/lite0"))


def test_every_field_is_a_number_with_bounds_or_text_with_choices():
    paths = configs.field_paths()
    assert len(paths) == 59
    types = {path: type(value_of(RunConfig(), path)) for path in paths}
    numbers = {path for path, kind in types.items() if kind in (int, float, tuple)}
    texts = {path for path, kind in types.items() if kind is str}
    assert numbers == set(BOUNDS)
    assert texts == set(CHOICES) | FREE_TEXT
    switches = {
        "overwrite",
        "profile",
        "export.explain",
        "finetune.find_learning_rate",
    }
    assert set(paths) - numbers - texts == switches


def reads(path: str) -> list[str]:
    """Names of files in `pipelines` that read `config.field` or `group.field`."""
    *groups, field = path.split(".")
    owner = groups[-1] if groups else "config"
    folder = Path(pipelines.__file__).parent
    found = []
    for file in sorted(folder.rglob("*.py")):
        if file == folder / "config.py":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Load)
                and node.attr == field
                and ast.unparse(node.value).split(".")[-1] == owner
            ):
                found.append(file.name)
    return found


@pytest.mark.parametrize("path", configs.field_paths())
def test_every_field_is_read_by_somebody(path):
    assert reads(path), f"config.{path} is read nowhere outside config.py"


def test_the_search_for_readers_finds_only_readers():
    assert "run.py" in reads("seed")
    assert reads("head.epochs") == ["policy.py"]
    assert reads("seeed") == []
    assert reads("finetune.pooling") == []  # `head.pooling` is read, this is not


def test_from_fields_differs_from_the_default_in_what_was_given():
    config = configs.from_fields({"seed": 3, "strategy": "full"})
    assert config == dataclasses.replace(RunConfig(), seed=3, strategy="full")


def test_from_fields_refuses_an_unknown_field_with_the_nearest():
    with pytest.raises(
        ConfigError, match=r"no config\.stratgy\. Did you mean config\.str"
    ):
        configs.from_fields({"stratgy": "full"})
    with pytest.raises(ConfigError, match=r"no config\.zzz\. The fields are data, "):
        configs.from_fields({"zzz": 1})


def test_a_misspelt_field_cannot_be_set_or_read():
    config = RunConfig()
    config.seed = 3
    assert config.seed == 3
    with pytest.raises(AttributeError, match="seeed"):
        config.seeed = 3
    with pytest.raises(AttributeError, match="poling"):
        _ = config.head.poling


def test_two_configs_share_no_group():
    first, second = RunConfig(), RunConfig()
    first.head.epochs = 99
    assert second.head.epochs == HeadConfig().epochs


def test_to_dict_holds_every_field_once():
    values = configs.to_dict(RunConfig())
    groups = {name for name, value in values.items() if isinstance(value, dict)}
    assert groups == {
        "input",
        "augment",
        "head",
        "finetune",
        "calibration",
        "export",
    }
    flat = [name for name in values if name not in groups]
    flat += [f"{group}.{name}" for group in sorted(groups) for name in values[group]]
    assert sorted(flat) == sorted(configs.field_paths())


def test_described_names_every_flag_with_what_is_allowed():
    lines = configs.described()
    assert len(lines) == len(configs.field_paths())
    assert "  --config.seed=0  0 to 2.14748e+09" in lines
    assert any(
        line.startswith("  --config.strategy=auto  one of auto, head_only")
        for line in lines
    )


@pytest.mark.parametrize(
    ("strategy", "fields", "message"),
    [
        ("head_only", {"batchnorm": "reestimated"}, "trains no blocks"),
        ("scratch", {"batchnorm": "reestimated"}, "trains no blocks"),
        ("head_only", {"ema_decay": 0.9}, "ema_decay set, but.*trains no blocks"),
        ("head_only", {"soup": 3, "ema_decay": 0.9}, "ema_decay and soup set, but"),
        ("scratch", {"soup": 3}, "statistics of none of them"),
        ("full", {"soup": 3, "batchnorm": "trained"}, "statistics of none of them"),
        ("head_only", {"lora_rank": 4}, "lora_rank set, but.*trains no blocks"),
        ("scratch", {"lora_rank": 4}, "starts from random weights"),
        ("full", {"lora_rank": 4, "batchnorm": "trained"}, "nothing but its factors"),
        ("full", {"lora_rank": 4, "soup": 3}, "neither soup nor ema_decay"),
        ("head_only", {"find_learning_rate": True}, "find_learning_rate set, but"),
        ("full", {"find_learning_rate": True, "learning_rate": 0.1}, "find another"),
        ("full", {"lora_rank": 4, "ema_decay": 0.9}, "neither soup nor ema_decay"),
    ],
)
def test_what_cannot_go_together_in_fine_tuning_is_refused(strategy, fields, message):
    config = valid(strategy=strategy)
    for name, value in fields.items():
        setattr(config.finetune, name, value)
    with pytest.raises(ConfigError, match=message):
        checked(config)


def test_each_option_of_fine_tuning_alone_is_allowed():
    for name, value in (
        ("batchnorm", "reestimated"),
        ("ema_decay", 0.99),
        ("soup", 3),
        ("lora_rank", 4),
        ("find_learning_rate", True),
    ):
        checked(with_value(f"finetune.{name}", value))
