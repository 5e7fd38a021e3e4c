import dataclasses
import json
import re

import numpy as np
import pytest

import zoo
from pipelines import config as configs
from pipelines.cli import main
from pipelines.config import RunConfig
from pipelines.planning import plan as plans

PLAN = ["plan", "--data", "builtin:digits?limit=200", "--backbone", "tiny_image"]
PLAN += ["--weights", "none"]


def test_plan_prints_phases_and_reason(capsys):
    assert main([*PLAN, "--effort", "seconds"]) == 0
    printed = capsys.readouterr().out
    assert "A linear probe on" in printed
    assert "only if better" in printed
    assert "fine_tune" not in printed


def test_plan_as_json_is_plan_and_evidence(capsys):
    assert main([*PLAN, "--strategy", "partial", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert plans.from_dict(found["plan"]).action == "partial"
    assert len(found["evidence"]["depths"]) == 4
    assert found["compute"]["precision"] == "float32"
    # Random weights have no source to be far from.
    assert found["evidence"]["divergences"] == []
    assert found["plan"]["rule"] == ""
    assert found["seconds"]["total"] > found["seconds"]["measure"] > 0


@pytest.mark.weights
def test_plan_prints_divergence_from_the_source(capsys):
    data = "builtin:digits?limit=120"
    command = ["plan", "--data", data, "--backbone", "efficientnet_lite0"]
    assert main([*command, "--input-size-px=32"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"block alone +width .* divergence +median", printed)
    assert re.search(r"^stem( +[\d.]+){5}$", printed, re.MULTILINE)
    assert "tiny thumbnails alone: 0." in printed
    assert "over the data set (of 1000)" in printed
    assert "The classic rule for few data that are" in printed


def test_plan_prints_the_cut_and_its_heads(capsys):
    assert main([*PLAN, "--strategy=cut", "--head.cut-after=block1"]) == 0
    printed = capsys.readouterr().out
    assert "Cuts the network after 'block1', and trains the new head" in printed
    assert re.search(r"^cut: block1 ", printed, re.MULTILINE)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--strategy=partial", "--finetune.from-block=blok2"], "mean 'block2'"),
        (["--strategy=cut", "--head.cut-after=top"], "in order are stem, block1, bl"),
        (["--head.conv-blocks=2", "--head.cut-after=stem"], "'auto' does not cut"),
    ],
)
def test_plan_refuses_blocks_the_backbone_lacks(capsys, flags, message):
    assert main([*PLAN, *flags]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("backbone", "message"),
    [("tiny_text", "blocks of tokens have no averages"), ("tiny_series", "")],
)
def test_cut_takes_series_and_refuses_texts(capsys, tmp_path, backbone, message):
    values = {
        "tiny_text": np.array([f"word {i} is {i % 2}" for i in range(40)]),
        "tiny_series": np.random.default_rng(0).normal(size=(40, 16, 1)),
    }[backbone]
    x = values if values.dtype.kind == "U" else values.astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(40) % 2)
    command = ["plan", f"--data=npz:{tmp_path}/data.npz", f"--backbone={backbone}"]
    code = main([*command, "--weights=none", "--strategy=cut"])
    assert code == (2 if message else 0)
    assert message in capsys.readouterr().err


def test_plan_needs_data(capsys, tmp_path):
    assert main(["plan", "--backbone=tiny_image"]) == 2
    assert "required: --data; or a file" in capsys.readouterr().err
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"data": "", "backbone": "tiny_image"}))
    assert main(["plan", f"--config={path}"]) == 2
    assert "config.data is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--head-dropout=0.1", "Unknown command line flag 'head-dropout'"),
        ("--head.dropout=2", "config.head.dropout is 2.0; allowed: 0 to 0.95"),
        ("--config.head.grid=9", "config.head.grid is 9; allowed: 0 to 2"),
        ("--strategy=most", "config.strategy is 'most'; allowed: auto"),
        ("--input-size-px=-1", "config.input_size_px is -1; allowed: 0 to 4096"),
    ],
)
def test_plan_takes_every_field_with_and_without_prefix(capsys, flag, message):
    assert main([*PLAN, flag]) == 2
    assert message in capsys.readouterr().err


def test_plan_of_saved_config_is_overridden_by_fields(tmp_path, capsys):
    config = RunConfig(
        data="builtin:digits?limit=200",
        backbone="tiny_image",
        weights="none",
        strategy="full",
    )
    path = tmp_path / "config.json"
    path.write_text(json.dumps(configs.to_dict(config)))
    flags = [f"--config={path}", "--finetune.unfreezing_steps=2", "--json"]
    assert main(["plan", *flags]) == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert plan["action"] == "full"
    assert [phase["name"] for phase in plan["phases"]][0] == "head"
    assert len(plan["phases"]) == 3


def test_plan_prints_the_backbones_it_compared(registered, capsys):
    takes = zoo.get_spec("tiny_image").input
    for name, size in (("auto_a", 8), ("auto_b", 16)):
        registered(name, input=dataclasses.replace(takes, default_size_px=size))
    command = ["plan", "--data=builtin:digits?limit=100", "--backbone=auto"]
    assert main([*command, "--auto.backbones=auto_*"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^auto_a +8 .* M +\d+", printed, re.MULTILINE)
    assert re.search(r"^auto_b +16 ", printed, re.MULTILINE)
    assert re.search(r"^auto_[ab] .* chosen$", printed, re.MULTILINE)
    assert "The backbone is 'auto_" in printed
