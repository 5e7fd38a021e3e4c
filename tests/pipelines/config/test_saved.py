import json

import pytest

from pipelines.config import FinetuneConfig, HeadConfig, RunConfig, to_dict
from pipelines.config.flags import parse
from pipelines.config.saved import read_config
from pipelines.errors import ConfigError

CONFIG = RunConfig(
    data="dir:photos",
    workdir="runs/photos",
    overwrite=True,
    time_budget_seconds=60.0,
    head=HeadConfig(hidden_units=(16, 8), init="epsilon"),
    finetune=FinetuneConfig(epochs=4),
)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "config.json"

    def save(values: object) -> str:
        path.write_text(values if isinstance(values, str) else json.dumps(values))
        return str(path)

    return save


@pytest.mark.parametrize("form", ["--config={}", "--config {}", "-config={}"])
def test_parse_saved_config_comes_back_whole(saved, form):
    assert parse(form.format(saved(to_dict(CONFIG))).split()) == CONFIG


def test_parse_flags_override_a_saved_config(saved):
    path = saved(to_dict(CONFIG))
    flags = ["--config.workdir=runs/again", "--config.head.hidden_units=(4,)"]
    config = parse([f"--config={path}", *flags, "--noconfig.overwrite"])
    assert config.workdir == "runs/again"
    assert config.head.hidden_units == (4,)
    assert config.overwrite is False
    assert config.finetune == CONFIG.finetune


def test_read_config_missing_field_has_its_default(saved, tmp_path):
    saved({"data": "dir:photos", "head": {"epochs": 3}})
    config = read_config(tmp_path / "config.json")
    assert config == RunConfig(data="dir:photos", head=HeadConfig(epochs=3))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("not JSON", r"config\.json is not JSON: Expecting value"),
        ("", r"config\.json is not JSON"),
        ([1], r"holds a list; expected an object with the fields of a config"),
        ("null", "holds null; expected"),
        ({"stratgy": "full"}, r"no config\.stratgy\. Did you mean config\.strategy\?"),
        ({"head": {"dropuot": 0}}, r"Did you mean config\.head\.dropout\?"),
        ({"seed": {"a": 1}}, r"There is no config\.seed\.a"),
        ({"seed": {}}, r"config\.seed is {}; expected a whole number"),
        ({"seed": "3"}, r"config\.seed is '3'; expected a whole number"),
        ({"seed": None}, r"config\.seed is None; expected a whole number"),
        ({"seed": True}, r"config\.seed is True; expected a whole number"),
        ({"overwrite": 1}, r"config\.overwrite is 1; expected True or False"),
        ({"head": 3}, r"config\.head is 3; expected an object"),
        ({"head": None}, r"config\.head is None; expected an object"),
        ({"head": {"hidden_units": ["a"]}}, "expected a tuple of whole numbers"),
        ({"head": {"hidden_units": 8}}, "expected a tuple of whole numbers"),
    ],
)
def test_read_config_bad_file_is_a_config_error(saved, values, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parse([f"--config={saved(values)}"])
    assert "config.json" in str(caught.value)


def test_read_config_refuses_bytes_that_are_not_text(tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(ConfigError, match=r"config\.json is not JSON"):
        read_config(path)


def test_parse_saved_config_with_bad_override_is_refused(saved):
    path = saved(to_dict(CONFIG))
    with pytest.raises(ConfigError, match=r"--config\.seed=x: .*'x'"):
        parse([f"--config={path}", "--config.seed=x"])
    with pytest.raises(
        ConfigError, match=r"no config\.sed\. Did you mean config\.seed"
    ):
        parse([f"--config={path}", "--config.sed=3"])


def test_parse_missing_saved_config_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.json cannot be read: No such file"):
        parse([f"--config={tmp_path / 'none.json'}"])
