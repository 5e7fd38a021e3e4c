import json
import re

import pytest

import zoo
from pipelines.cli import main
from zoo.catalog import CATALOG

FIRST_IN_CATALOG = "vgg16"


def listed(capsys, *arguments: str) -> list[str]:
    assert main(["list", *arguments]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[0] == "name"
    return [row.split()[0] for row in rows]


def test_list_shows_every_backbone_once(capsys):
    names = listed(capsys)
    assert names == zoo.list_backbones()
    assert len(names) == len(set(names)) == len(CATALOG)
    assert names[0] == FIRST_IN_CATALOG


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["efficientnet_lite*"], [f"efficientnet_lite{n}" for n in range(3)]),
        (["vgg1?"], ["vgg16", "vgg19"]),
        (["tiny_image"], ["tiny_image"]),
        (["--source", "tiny"], ["tiny_image", "tiny_text", "tiny_series"]),
        (["--source=efficientnet_lite", "*1"], ["efficientnet_lite1"]),
        (["tiny*", "--pretrained"], []),
        (["tiny*", "--modality", "image"], ["tiny_image"]),
        (["no_such*"], []),
        (["vgg*", "--exclude", "*16"], ["vgg19"]),
        (["vgg*", "--exclude=*16", "--exclude=vgg19"], []),
        (["--source=tiny", "--exclude=*text", "--modality=text"], []),
        (["*_[ls]*", "--source=tiny", "--exclude", "x"], ["tiny_series"]),
        (["*lite*", "--pretrained", "--exclude=*[01]"], ["efficientnet_lite2"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_list_filters_leave_these(capsys, arguments, expected):
    assert listed(capsys, *arguments) == expected


def test_list_pretrained_leaves_out_random_weights(capsys):
    everything, pretrained = listed(capsys), listed(capsys, "--pretrained")
    without = [name for name in everything if not zoo.get_spec(name).pretrained]
    assert "tiny_image" in without
    assert set(everything) - set(pretrained) == set(without)


@pytest.mark.parametrize("option", ["--modality", "--source"])
def test_list_unknown_filter_value_is_wrong_usage(capsys, option):
    assert main(["list", option, "imag"]) == 2
    message = capsys.readouterr().err
    assert re.match(
        rf"zoo: argument {option}: invalid choice: 'imag' \(choose", message
    )
    assert "usage: zoo list" in message


def test_list_as_json_is_one_object(fresh_process):
    ended = fresh_process("from pipelines.cli import main; main()", "list", "--json")
    values = json.loads(ended.stdout)
    assert ended.stderr == ""
    assert list(values) == ["backbones"]
    rows = {row["name"]: row for row in values["backbones"]}
    assert len(rows) == len(CATALOG)
    for name, row in rows.items():
        spec = zoo.get_spec(name)
        assert row["feature_width"] == spec.feature_width
        assert row["blocks"] == list(spec.block_names)
        assert row["pretrained"] is spec.pretrained
