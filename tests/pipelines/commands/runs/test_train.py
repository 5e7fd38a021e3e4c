import dataclasses
import json
import re

import zoo
from pipelines.cli import main
from pipelines.runtime import clock

# What stages say while they last.
PROGRESS = (
    "inputs of a head: 0 of ",
    "outputs of 120 examples",
    "outputs of test: 20 of 20",
    "fitting on 20 examples of validation",
    "signatures: 1 of 4",
    "writing the SavedModel",
    "asking the trained model",
    "comparing with the SavedModel",
    "predictions: 1 of 40",
)


def test_train_is_the_main_job(tiny_flags, tmp_path, capsys):
    assert main(["train", *tiny_flags, "--config.strategy=x"]) == 2
    assert "config.strategy is 'x'; allowed: auto" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_train_as_json_prints_only_the_report(tiny_flags, tmp_path, fresh_process):
    code = "import sys; from pipelines.cli import main; sys.exit(main())"
    ended = fresh_process(code, "train", *tiny_flags, "--json", warm=True)
    assert ended.returncode == 0, ended.stderr
    saved = json.loads((tmp_path / "run" / "report.json").read_text())
    assert json.loads(ended.stdout) == saved
    assert "export" in ended.stderr


def test_train_gives_a_run_again_from_its_config(
    finished_run, tmp_path, capsys, caplog, monkeypatch
):
    monkeypatch.setattr(clock, "_PROGRESS_EVERY_SECONDS", -1.0)
    flags = [
        f"--config={finished_run / 'config.json'}",
        f"--config.workdir={tmp_path / 'again'}",
    ]
    with caplog.at_level("INFO", "zootune"):
        assert main(["train", *flags]) == 0
    for doing in PROGRESS:
        assert f"  {doing}" in caplog.text
    base = tmp_path / "again" / "artifact"
    assert capsys.readouterr().out.splitlines()[-4:] == [
        "next:",
        f"  zoo evaluate {base} '--data=builtin:digits?limit=120'",
        f"  zoo report {tmp_path / 'again'}",
        f"  zoo serve {base}",
    ]
    reports = [
        json.loads((folder / "report.json").read_text())
        for folder in (finished_run, tmp_path / "again")
    ]
    assert reports[0]["test"] == reports[1]["test"]
    assert main(["train", f"--config={finished_run / 'config.json'}"]) == 2
    assert "overwrite" in capsys.readouterr().err


def test_train_prints_and_records_a_chosen_backbone(registered, tmp_path, capsys):
    takes = zoo.get_spec("tiny_image").input
    for name, size in (("auto_a", 8), ("auto_b", 16)):
        registered(name, input=dataclasses.replace(takes, default_size_px=size))
    flags = [
        "--config.data=builtin:digits?limit=120",
        "--config.backbone=auto",
        "--config.auto.backbones=auto_*",
        "--config.strategy=head_only",
        "--config.head.epochs=1",
        f"--config.workdir={tmp_path / 'run'}",
    ]
    assert main(["train", *flags]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"backbone +px +left-out accuracy +behind the best", printed)
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    choice = json.loads((tmp_path / "run" / "backbone.json").read_text())
    assert report["backbone_choice"] == choice
    assert report["backbone"]["name"] == choice["backbone"]
    assert report["plan"]["reason"].startswith(choice["reason"])
    assert [row["backbone"] for row in choice["compared"]] == ["auto_a", "auto_b"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Backbones that were compared" in page
