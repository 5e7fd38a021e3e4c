import io
import json
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
from pipelines import cli
from pipelines import config as configs
from pipelines.cli import COMMANDS, main
from pipelines.config import OPTIONS, RunConfig
from pipelines.planning import plan as plans
from zoo.catalog import CATALOG

QUICK = {
    "list": (["list"], 0),
    "list_json": (["list", "--json"], 0),
    "info": (["info", "efficientnet_lite0"], 0),
    "info_json": (["info", "tiny_image", "--json"], 0),
    "help": (["--help"], 0),
    "list_help": (["list", "--help"], 0),
    "train_help": (["train", "--help"], 0),
    "plan_help": (["plan", "--help"], 0),
    "serve_help": (["serve", "--help"], 0),
    "plan_unknown_field": (["plan", "--config.sed=3"], 2),
    "no_command": ([], 2),
    "unknown_command": (["lst"], 2),
    "unknown_option": (["list", "--modell"], 2),
    "unknown_field": (["train", "--config.sed=3"], 2),
    "unknown_backbone": (["info", "tiny_imag"], 4),
    "fetch_offline": (["fetch", "vgg16", "--offline"], 4),
    "fetch_nothing": (["fetch"], 2),
    "rank_nothing": (["rank"], 2),
    "rank_unknown": (["rank", "--data=builtin:digits", "--backbones=vg16"], 4),
    "rank_no_reference": (["rank", "--data=digits"], 3),
}
IMPORTS_NO_ENGINE = (
    "import sys\n"
    "from pipelines.cli import main\n"
    "try:\n"
    "    code = main()\n"
    "except SystemExit as ended:\n"  # argparse ends the process after its help
    "    code = ended.code\n"
    "engines = {'tensorflow', 'keras', 'sklearn', 'scipy'} & set(sys.modules)\n"
    "assert not engines, engines\n"
    "sys.exit(code)\n"
)
FIRST_IN_CATALOG = "vgg16"


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


@pytest.fixture
def photo(tmp_path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(pixels))
    return path


def listed(capsys, *arguments: str) -> list[str]:
    assert main(["list", *arguments]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[0] == "name"
    return [row.split()[0] for row in rows]


@pytest.mark.parametrize("name", QUICK)
def test_it_answers_within_half_a_second_and_imports_no_engine(fresh_process, name):
    arguments, code = QUICK[name]
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        ended = fresh_process(IMPORTS_NO_ENGINE, *arguments)
        seconds.append(time.monotonic() - started)
        assert ended.returncode == code, ended.stderr
        if seconds[-1] < 0.5:
            return
    pytest.fail(f"zoo {' '.join(arguments)} took {min(seconds):.2f} s")


def test_the_guard_against_engines_sees_one(fresh_process):
    code = IMPORTS_NO_ENGINE.replace("import sys\n", "import sys, scipy\n", 1)
    ended = fresh_process(code, "list")
    assert ended.returncode == 1
    assert "{'scipy'}" in ended.stderr


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
def test_filters_of_list(capsys, arguments, expected):
    assert listed(capsys, *arguments) == expected


def test_pretrained_leaves_out_what_has_no_weights(capsys):
    everything, pretrained = listed(capsys), listed(capsys, "--pretrained")
    without = [name for name in everything if not zoo.get_spec(name).pretrained]
    assert "tiny_image" in without
    assert set(everything) - set(pretrained) == set(without)


@pytest.mark.parametrize("option", ["--modality", "--source"])
def test_a_filter_by_a_value_that_no_row_has_is_wrong_usage(capsys, option):
    assert main(["list", option, "imag"]) == 2
    message = capsys.readouterr().err
    assert re.match(
        rf"zoo: argument {option}: invalid choice: 'imag' \(choose", message
    )
    assert "usage: zoo list" in message


def test_list_as_json_is_one_object_and_nothing_else(fresh_process):
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


def test_info_says_what_the_spec_says(capsys):
    assert main(["info", "efficientnet_lite0"]) == 0
    printed = capsys.readouterr().out
    spec = zoo.get_spec("efficientnet_lite0")
    assert spec.weights is not None
    for fact in (
        "224 px, at least 32 px",
        "1280",
        "3,413,024",
        "Apache-2.0",
        spec.paper,
        f"sha256 {spec.weights.sha256}",
        " ".join(spec.block_names),
    ):
        assert fact in printed


def test_info_of_a_backbone_without_weights(capsys):
    assert main(["info", "tiny_image"]) == 0
    assert re.search(r"weights +none published", capsys.readouterr().out)


def test_info_says_how_to_get_weights_that_are_not_here(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    file = zoo.get_spec("resnet50").weights
    assert file is not None
    assert main(["info", "resnet50"]) == 0
    printed = capsys.readouterr().out
    assert "no; zoo fetch resnet50" in printed
    assert file.url in printed
    (tmp_path / "models").mkdir()
    at_hand = tmp_path / "models" / file.file_name
    at_hand.write_bytes(b"weights")
    assert main(["info", "resnet50"]) == 0
    assert re.search(rf"on this machine +{at_hand}", capsys.readouterr().out)


def test_info_as_json(capsys):
    assert main(["info", "efficientnet_lite0", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    spec = zoo.get_spec("efficientnet_lite0")
    assert spec.weights is not None
    assert values["name"] == spec.name
    assert values["weights"]["sha256"] == spec.weights.sha256
    assert values["input"]["pixels"]["mean"] == list(spec.input.pixels.mean)
    assert "weights_at" in values


def test_help_names_every_command(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert {"list", "plan", "train", "serve", "doctor"} < set(COMMANDS)
    for command in COMMANDS:
        assert re.search(rf"^ +{command} ", printed, re.MULTILINE)


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
def test_wrong_usage_says_what_is_wrong_first(capsys, arguments, message):
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


def test_the_table_of_commands_stays_short():
    assert len(Path(cli.__file__).read_text().splitlines()) < 80


def test_train_is_the_main_job(tiny_flags, tmp_path, capsys):
    assert main(["train", *tiny_flags, "--config.strategy=x"]) == 2
    assert "config.strategy is 'x'; allowed: auto" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_predict_gives_a_row_for_every_file(finished_run, photo, capsys):
    other = photo.with_name("broken.jpg")
    other.write_bytes(b"not an image")
    base = finished_run / "artifact"
    assert main(["predict", str(base), str(photo), str(other)]) == 0
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["file", "label", "confidence", "accepted"]
    assert re.fullmatch(rf"{photo} +\d +[01]\.\d{{4}} +(yes|no)", first)
    assert re.fullmatch(rf"{other} +\(not a readable image\) +0\.0000 +no", second)


def test_predict_as_json_in_a_fresh_process_is_one_object(
    finished_run, photo, fresh_process
):
    ended = fresh_process(
        "from pipelines.cli import main; main()",
        "predict",
        str(finished_run / "artifact" / "1"),
        str(photo),
        "--json",
    )
    (prediction,) = json.loads(ended.stdout)["predictions"]
    assert prediction["file"] == str(photo)
    assert prediction["valid"] is True
    assert prediction["label"] in prediction["probabilities"]
    assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert prediction["confidence"] == max(prediction["probabilities"].values())
    assert prediction["label"] in prediction["prediction_set"]
    assert isinstance(prediction["ood_score"], float)


def test_evaluate_counts_what_the_run_counted(finished_run, capsys):
    report = json.loads((finished_run / "report.json").read_text())
    base = str(finished_run / "artifact")
    data = "--data=builtin:digits?limit=120"
    assert main(["evaluate", base, data, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["split"] == "test"
    assert values["examples"] == report["test"]["examples"] > 0
    assert values["accuracy"] == report["test"]["accuracy"]
    assert values["confusion"] == report["test"]["confusion"]
    error = report["test"]["calibration_error"]
    assert values["calibration_error"] == pytest.approx(error, abs=1e-4)
    assert main(["evaluate", base, data, "--split=all"]) == 0
    printed = capsys.readouterr().out
    assert "split: all" in printed
    assert "on 120 examples" in printed
    assert re.search(r"^expected calibration error 0\.\d{4}$", printed, re.MULTILINE)


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_folder_that_is_no_artifact_is_refused(
    command, finished_run, photo, tmp_path, capsys
):
    rest = [str(photo)] if command == "predict" else ["--data=builtin:digits?limit=120"]
    assert main([command, str(tmp_path), *rest]) == 4
    assert "is not an artifact: it has no zoo_artifact.json" in capsys.readouterr().err
    assert main([command, str(finished_run), *rest]) == 4
    assert f"try {finished_run / 'artifact'}" in capsys.readouterr().err


def test_an_artifact_that_was_changed_is_refused(finished_run, photo, tmp_path, capsys):
    copy = tmp_path / "artifact"
    shutil.copytree(finished_run / "artifact", copy)
    assert main(["predict", str(copy), str(photo)]) == 0
    capsys.readouterr()
    with (copy / "1" / "saved_model.pb").open("ab") as stream:
        stream.write(b"x")
    assert main(["predict", str(copy), str(photo)]) == 4
    assert "not what was published: saved_model.pb differ" in capsys.readouterr().err


PLAN = ["plan", "--data", "builtin:digits?limit=200", "--backbone", "tiny_image"]
PLAN += ["--weights", "none"]


def test_plan_says_what_training_would_do_and_why(capsys):
    assert main([*PLAN, "--effort", "seconds"]) == 0
    printed = capsys.readouterr().out
    assert "A linear probe on" in printed
    assert "only if better" in printed
    assert "fine_tune" not in printed


def test_plan_as_json_is_the_plan_and_its_evidence(capsys):
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
def test_plan_shows_how_far_the_data_are_from_the_source(capsys):
    data = "builtin:digits?limit=120"
    command = ["plan", "--data", data, "--backbone", "efficientnet_lite0"]
    assert main([*command, "--input-size-px=32"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"block alone +width .* divergence +median", printed)
    assert re.search(r"^stem( +[\d.]+){5}$", printed, re.MULTILINE)
    assert "tiny thumbnails alone: 0." in printed
    assert "of its 1000 classes" in printed
    assert "The classic rule for few data that are" in printed


def test_plan_needs_data_and_a_backbone(capsys, tmp_path):
    assert main(["plan", "--data", "builtin:digits"]) == 2
    assert "--backbone" in capsys.readouterr().err
    assert main(["plan"]) == 2
    assert "required: --data, --backbone; or a file" in capsys.readouterr().err
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


def test_plan_of_a_saved_config_and_fields_that_override_it(tmp_path, capsys):
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


def test_train_as_json_is_the_report_and_nothing_else(
    tiny_flags, tmp_path, fresh_process
):
    code = "import sys; from pipelines.cli import main; sys.exit(main())"
    ended = fresh_process(code, "train", *tiny_flags, "--json")
    assert ended.returncode == 0, ended.stderr
    saved = json.loads((tmp_path / "run" / "report.json").read_text())
    assert json.loads(ended.stdout) == saved
    assert "export" in ended.stderr


def test_train_gives_a_run_again_from_its_config(finished_run, tmp_path, capsys):
    flags = [
        f"--config={finished_run / 'config.json'}",
        f"--config.workdir={tmp_path / 'again'}",
        "--json",
    ]
    assert main(["train", *flags]) == 0
    capsys.readouterr()
    reports = [
        json.loads((folder / "report.json").read_text())
        for folder in (finished_run, tmp_path / "again")
    ]
    assert reports[0]["test"] == reports[1]["test"]
    assert main(["train", f"--config={finished_run / 'config.json'}"]) == 2
    assert "overwrite" in capsys.readouterr().err
