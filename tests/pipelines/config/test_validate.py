from pathlib import Path

import pytest

from pipelines.config import (
    BOUNDS,
    CHOICES,
    AutoConfig,
    HeadConfig,
    RunConfig,
    checked,
)
from pipelines.errors import ConfigError


def valid(**fields) -> RunConfig:
    return RunConfig(data="builtin:digits", workdir="run", **fields)


def with_value(path: str, value: object) -> RunConfig:
    config = valid()
    if path.startswith("adapt."):  # the fields of this section go with its target
        config.adapt.target = "dir:phone"
    if path.startswith("distil."):
        config.distil.teacher = "runs/large"
    owner = config
    *groups, name = path.split(".")
    for group in groups:
        owner = getattr(owner, group)
    setattr(owner, name, value)
    return config


def value_of(config: RunConfig, path: str) -> object:
    value: object = config
    for name in path.split("."):
        value = getattr(value, name)
    return value


def in_type_of_field(path: str, number: float) -> object:
    default = value_of(RunConfig(), path)
    if isinstance(default, tuple):
        return (type(default[0])(number),) if default else (int(number),)
    return type(default)(number)


def test_checked_with_data_and_workdir_passes():
    assert checked(valid()) == valid()


def test_checked_copy_shares_nothing():
    config = valid()
    copy = checked(config)
    copy.head.dropout = 0.5
    assert config.head.dropout == HeadConfig().dropout


@pytest.mark.parametrize("field", ["data", "workdir"])
def test_checked_empty_field_is_refused_with_example(field):
    config = with_value(field, "")
    with pytest.raises(
        ConfigError, match=rf"config\.{field} is empty.*--config\.{field}="
    ):
        checked(config)


@pytest.mark.parametrize("path", CHOICES)
def test_checked_choices_pass_and_others_are_refused(path):
    assert CHOICES[path]
    for choice in CHOICES[path]:
        config = with_value(path, choice)
        if path == "head.pooling" and choice != "average":
            config.head.init = "epsilon"  # a probe refuses it
        if path == "fold_head":
            config.folds, config.strategy = 3, "head_only"
        if path == "test_views":
            config.strategy = "head_only"
        assert value_of(checked(config), path) == choice
    allowed = ", ".join(CHOICES[path])
    with pytest.raises(
        ConfigError, match=f"config.{path} is 'other'; allowed: {allowed}"
    ):
        checked(with_value(path, "other"))


@pytest.mark.parametrize("path", BOUNDS)
def test_checked_bounds_pass_and_beyond_is_refused(path):
    low, high = BOUNDS[path]
    for bound in (low, high):
        config = with_value(path, in_type_of_field(path, bound))
        if path == "head.hidden_units":
            config.head.init = "epsilon"
        if path == "finetune.momentum":
            config.finetune.optimizer = "sgd"  # others refuse it
        if path.startswith("auto."):
            config.backbone = "auto"
        if path == "folds":
            config.strategy = "head_only"
        checked(config)
    sample = in_type_of_field(path, low)
    sample = sample[0] if isinstance(sample, tuple) else sample
    step = 1 if isinstance(sample, int) else low / 2 + 1e-9
    for beyond in (low - step, high + max(step, high)):
        with pytest.raises(
            ConfigError, match=f"config.{path} is .*; allowed: .* to .*"
        ):
            checked(with_value(path, in_type_of_field(path, beyond)))


def test_checked_nan_is_out_of_bounds():
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
def test_check_types_another_type_is_refused(path, value, expected):
    with pytest.raises(ConfigError, match=f"config.{path} is .*; expected {expected}"):
        checked(with_value(path, value))


def test_check_types_int_for_float_passes():
    assert checked(with_value("time_budget_seconds", 60)).time_budget_seconds == 60


@pytest.mark.parametrize(
    "fields", [{"hidden_units": (8,)}, {"pooling": "flatten"}], ids=str
)
def test_checked_probe_needs_one_pooled_layer(fields):
    with pytest.raises(ConfigError, match="init='probe' needs one dense layer"):
        checked(valid(head=HeadConfig(init="probe", **fields)))
    checked(valid(head=HeadConfig(init="epsilon", **fields)))


@pytest.mark.parametrize(
    ("path", "value"),
    [("calibration.least_precision", 0.9), ("calibration.method", "none")],
)
def test_checked_thresholds_of_labels_have_one_source(path, value):
    config = with_value(path, value)
    checked(config)
    config.calibration.false_negative_rate = 0.1
    with pytest.raises(ConfigError, match="thresholds of labels.*Leave"):
        checked(config)


def test_checked_no_conformal_level_is_refused():
    config = with_value("calibration.conformal_levels", (0.9, 0.5))
    assert checked(config).calibration.conformal_levels == (0.9, 0.5)
    with pytest.raises(ConfigError, match="conformal_levels is empty.*to \\(0.95,\\)"):
        checked(with_value("calibration.conformal_levels", ()))


def test_checked_handle_goes_with_its_backbone():
    config = valid(backbone="tfhub", handle="modules/lite0")
    assert checked(config).handle == "modules/lite0"
    with pytest.raises(
        ConfigError, match=r"config\.handle is empty.*--config\.handle="
    ):
        checked(valid(backbone="tfhub"))
    with pytest.raises(ConfigError, match="'tiny_image' takes none.*backbone to tfhub"):
        checked(valid(backbone="tiny_image", handle="modules/lite0"))
    with pytest.raises(ConfigError, match="'by default' takes none"):
        checked(valid(backbone="", handle="modules/lite0"))


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
        ("head_only", {"tune": "bias"}, "tune set, but.*trains no blocks"),
        ("head_only", {"label_smoothing": 0.1}, "label_smoothing set, but"),
        ("head_only", {"accumulate_steps": 2}, "accumulate_steps set, but"),
        ("scratch", {"tune": "norm"}, "'norm', and strategy 'scratch' starts"),
        ("full", {"tune": "norm", "lora_rank": 4}, "factors in place of weights"),
        ("full", {"momentum": 0.5}, "optimizer is 'adam', which has momenta"),
        ("full", {"accumulate_steps": 2, "ema_decay": 0.9}, "averages after each"),
        (
            "full",
            {"accumulate_steps": 2, "find_learning_rate": True},
            "with each batch",
        ),
        ("full", {"find_learning_rate": True, "learning_rate": 0.1}, "find another"),
        ("full", {"lora_rank": 4, "ema_decay": 0.9}, "neither soup nor ema_decay"),
    ],
)
def test_checked_conflict_in_finetuning_is_refused(strategy, fields, message):
    config = valid(strategy=strategy)
    for name, value in fields.items():
        setattr(config.finetune, name, value)
    with pytest.raises(ConfigError, match=message):
        checked(config)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"strategy": "full", "finetune.from_block": "a"}, "'full' trains every block"),
        ({"strategy": "scratch", "finetune.from_block": "a"}, "trains every block"),
        ({"strategy": "head_only", "finetune.from_block": "a"}, "trains no block"),
        ({"strategy": "cut", "finetune.soup": 2}, "strategy 'cut' trains no blocks"),
        ({"strategy": "partial", "head.cut_after": "a"}, "does not cut. Use strategy"),
        (
            {"strategy": "cut", "head.pooling": "max", "head.init": "zeros"},
            "'cut' averages the blocks",
        ),
        ({"strategy": "scratch", "head.conv_blocks": 1}, "trains all blocks from rand"),
        ({"head.conv_blocks": 9}, r"config\.head\.conv_blocks is 9; allowed: -1 to 8"),
    ],
)
def test_checked_conflict_about_the_boundary_is_refused(fields, message):
    config = valid()
    for path, value in fields.items():
        *group, name = path.split(".")
        setattr(getattr(config, group[0]) if group else config, name, value)
    with pytest.raises(ConfigError, match=message):
        checked(config)


def test_checked_boundary_fields_pass_with_their_strategy():
    config = valid(strategy="cut")
    config.head.cut_after = config.finetune.from_block = "block1"
    config.head.conv_blocks, config.finetune.soup = 2, 2
    assert checked(config).head.cut_after == "block1"
    config = valid(strategy="partial")
    config.finetune.from_block, config.finetune.guard = "auto", False
    assert checked(config).finetune.from_block == "auto"


def test_checked_each_finetuning_option_alone_passes():
    for name, value in (
        ("batchnorm", "reestimated"),
        ("ema_decay", 0.99),
        ("soup", 3),
        ("lora_rank", 4),
        ("tune", "norm"),
        ("label_smoothing", 0.1),
        ("accumulate_steps", 4),
        ("find_learning_rate", True),
    ):
        checked(with_value(f"finetune.{name}", value))


def _auto(**fields) -> RunConfig:
    return valid(backbone="auto", **fields)


def test_checked_backbone_auto_passes():
    config = _auto()
    config.auto.backbones = "efficientnet*"
    assert checked(config) == config


REFUSED_WITH_AUTO = {
    "weights": (_auto(weights="none"), "weights has to be 'default'"),
    "scratch": (_auto(strategy="scratch"), "strategy not 'scratch'"),
    "handle": (_auto(handle="module"), "'auto' takes none"),
    "no pattern": (
        _auto(auto=AutoConfig(backbones="")),
        "config.auto.backbones is empty",
    ),
    "another backbone": (
        valid(auto=AutoConfig(backbones="a*", budget_share=0.5)),
        r"auto\.backbones and config\.auto\.budget_share set, but config\.backbone is",
    ),
}


@pytest.mark.parametrize("case", REFUSED_WITH_AUTO)
def test_checked_auto_refuses_what_it_cannot_follow(case):
    config, message = REFUSED_WITH_AUTO[case]
    with pytest.raises(ConfigError, match=message):
        checked(config)


REFUSED_WITH_FOLDS = {
    "a head without folds": ({"fold_head": "best"}, "so there is one head"),
    "one fold": ({"folds": 1}, "leaves nothing to train on"),
    "blocks that train": ({"folds": 5}, r"set config\.fold_head='best'"),
    "random weights": (
        {"folds": 5, "fold_head": "best", "strategy": "scratch"},
        "config.strategy is 'scratch'",
    ),
    "hidden layers": (
        {
            "folds": 5,
            "strategy": "head_only",
            "head": HeadConfig(init="zeros", hidden_units=(8,)),
        },
        "nor hidden layers, nor dropout",
    ),
    "dropout": (
        {"folds": 5, "strategy": "head_only", "head": HeadConfig(dropout=0.1)},
        "nor hidden layers, nor dropout",
    ),
    "new blocks": (
        {"folds": 5, "strategy": "head_only", "head": HeadConfig(conv_blocks=1)},
        "neither new blocks",
    ),
}


@pytest.mark.parametrize("case", REFUSED_WITH_FOLDS)
def test_checked_folds_refuse_what_heads_cannot_follow(case):
    fields, message = REFUSED_WITH_FOLDS[case]
    with pytest.raises(ConfigError, match=message):
        checked(valid(**fields))


def test_checked_folds_of_a_linear_head_pass():
    config = valid(folds=5, strategy="head_only")
    assert checked(config) == config


@pytest.mark.parametrize("strategy", ["auto", "partial", "full", "cut"])
def test_checked_folds_of_networks_keep_the_best(strategy):
    config = valid(folds=5, strategy=strategy, fold_head="best")
    assert checked(config) == config


REFUSED_WITH_VIEWS = {
    "blocks that train": ({"test_views": "auto"}, r"set config\.strategy='head_only'"),
    "folds": (
        {"test_views": "flip", "strategy": "head_only", "folds": 3},
        "Leave one of the two out",
    ),
}


@pytest.mark.parametrize("case", REFUSED_WITH_VIEWS)
def test_checked_views_refuse_what_they_cannot_measure(case):
    fields, message = REFUSED_WITH_VIEWS[case]
    with pytest.raises(ConfigError, match="(?i)" + message):
        checked(valid(**fields))
