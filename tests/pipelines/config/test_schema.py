import ast
import dataclasses
import functools
from pathlib import Path

import pytest

import pipelines
from pipelines import config as configs
from pipelines.config import (
    BOUNDS,
    CHOICES,
    OPTIONS,
    FinetuneConfig,
    HeadConfig,
    RunConfig,
)
from pipelines.display.records import dotted
from pipelines.errors import ConfigError

# Text that no fixed set of values bounds.
FREE_TEXT = {
    *("data", "backbone", "handle", "weights", "workdir"),
    *("auto.backbones", "head.cut_after", "finetune.from_block"),
    *("anomaly.transfer", "export.minimum", "export.not_worse_than"),
    *("adapt.target", "adapt.labelled", "unlabelled"),
    *("distil.teacher", "distil.unlabelled"),
}


def test_options_numbers_have_bounds_and_texts_choices():
    defaults = dotted(configs.to_dict(RunConfig()))
    assert len(defaults) == 103
    types = {path: type(value) for path, value in defaults.items()}
    numbers = {path for path, kind in types.items() if kind in (int, float, tuple)}
    texts = {path for path, kind in types.items() if kind is str}
    assert numbers == set(BOUNDS)
    assert texts == set(CHOICES) | FREE_TEXT
    assert {kind for path, kind in types.items() if path not in numbers | texts} == {
        bool
    }


@pytest.mark.parametrize("path", configs.field_paths())
def test_options_every_field_has_a_sentence(path):
    sentence = OPTIONS[path].help
    assert len(sentence.split()) > 3, sentence
    assert sentence.endswith(".")
    assert "  " not in sentence


def test_options_every_default_is_within_bounds_and_choices():
    defaults = dotted(configs.to_dict(RunConfig()))
    for path, choices in CHOICES.items():
        assert defaults[path] in choices
    for path, (low, high) in BOUNDS.items():
        value = defaults[path]
        values = value if isinstance(value, tuple) else (value,)
        assert all(low <= number <= high for number in values), path


@functools.cache
def attributes() -> dict[tuple[str, str], list[str]]:
    """Files in `pipelines` that read `owner.field`, by owner and field."""
    folder = Path(pipelines.__file__).parent
    readers: dict[tuple[str, str], list[str]] = {}
    for file in sorted(folder.rglob("*.py")):
        if folder / "config" in file.parents:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                owner = ast.unparse(node.value).split(".")[-1]
                names = readers.setdefault((owner, node.attr), [])
                names += [file.name] * (file.name not in names)
    return readers


def reads(path: str) -> list[str]:
    """Names of files in `pipelines` that read `config.field` or `group.field`."""
    *groups, field = path.split(".")
    return attributes().get((groups[-1] if groups else "config", field), [])


@pytest.mark.parametrize("path", configs.field_paths())
def test_reads_every_field_has_a_reader(path):
    assert reads(path), f"config.{path} is read nowhere outside config/"


def test_reads_finds_only_readers():
    assert reads("seed")
    assert reads("head.epochs") == ["phases.py"]
    assert reads("seeed") == []
    assert reads("finetune.pooling") == []  # `head.pooling` is read, this is not


def test_from_fields_differs_from_default_in_these():
    config = configs.from_fields({"seed": 3, "strategy": "full"})
    assert config == dataclasses.replace(RunConfig(), seed=3, strategy="full")


def test_from_fields_takes_a_section_as_a_dict():
    config = configs.from_fields({"head": {"dropout": 0.2}})
    assert config.head == HeadConfig(dropout=0.2)
    assert configs.from_fields({"head": HeadConfig(dropout=0.2)}) == config
    with pytest.raises(ConfigError, match=r"no config\.head\.dropot\. Did you mean"):
        configs.from_fields({"head": {"dropot": 0.2}})


def test_from_fields_unknown_field_names_the_nearest():
    with pytest.raises(
        ConfigError, match=r"no config\.stratgy\. Did you mean config\.str"
    ):
        configs.from_fields({"stratgy": "full"})
    with pytest.raises(ConfigError, match=r"no config\.zzz\. The fields are data, "):
        configs.from_fields({"zzz": 1})


def test_run_config_misspelt_field_is_an_error():
    config = RunConfig()
    config.seed = 3
    assert config.seed == 3
    with pytest.raises(AttributeError, match="seeed"):
        config.seeed = 3
    with pytest.raises(AttributeError, match="poling"):
        _ = config.head.poling


def test_run_config_two_share_no_group():
    first, second = RunConfig(), RunConfig()
    first.head.epochs = 99
    assert second.head.epochs == HeadConfig().epochs


def test_to_dict_holds_every_field_once():
    values = configs.to_dict(RunConfig())
    groups = {name for name, value in values.items() if isinstance(value, dict)}
    assert groups == {
        "auto",
        "input",
        "augment",
        "head",
        "finetune",
        "calibration",
        "anomaly",
        "export",
        "adapt",
        "distil",
    }
    flat = [name for name in values if name not in groups]
    flat += [f"{group}.{name}" for group in sorted(groups) for name in values[group]]
    assert sorted(flat) == sorted(configs.field_paths())


def test_differences_name_fields_off_their_default():
    config = RunConfig(seed=3, finetune=FinetuneConfig(epochs=2))
    assert configs.differences(config) == {"seed": 3, "finetune.epochs": 2}
    assert configs.differences(RunConfig()) == {}
