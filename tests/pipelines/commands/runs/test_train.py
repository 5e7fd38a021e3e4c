import json

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
    ended = fresh_process(code, "train", *tiny_flags, "--json")
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
