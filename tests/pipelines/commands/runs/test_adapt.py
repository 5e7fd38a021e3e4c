"""The command `zoo adapt`, in process."""

import json
import shutil

from pipelines.cli import main
from tests.support import two_domains


def test_adapt_of_unfinished_run_exits_2(capsys, tmp_path):
    assert main(["adapt", str(tmp_path), "--target=dir:phone"]) == 2
    assert "not the folder of a finished run" in capsys.readouterr().err


def test_adapt_refuses_methods_that_train(capsys, finished_run, tmp_path):
    two_domains.write(tmp_path)
    target = f"npz:{tmp_path / two_domains.TARGET}"
    assert (
        main(["adapt", str(finished_run), f"--target={target}", "--method=dann"]) == 2
    )
    assert "config.adapt.target=npz:" in capsys.readouterr().err


def test_adapt_measures_in_json(capsys, finished_run, tmp_path):
    two_domains.write(tmp_path)
    target = f"npz:{tmp_path / two_domains.TARGET}"
    run = shutil.copytree(finished_run, tmp_path / "run")
    assert main(["adapt", str(run), f"--target={target}", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["path"] is None
    assert values["adaptation"]["before"]["distance"] > 1
