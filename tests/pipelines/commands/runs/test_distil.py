"""The command `zoo distil`, in process."""

from pipelines.cli import main


def test_folder_without_a_run_exits_2(capsys, tmp_path):
    arguments = [str(tmp_path), "--backbone=tiny_image", f"--workdir={tmp_path}/s"]
    assert main(["distil", *arguments]) == 2
    assert "holds no finished run" in capsys.readouterr().err


def test_student_without_published_weights_exits_2(capsys, finished_run, tmp_path):
    arguments = [str(finished_run), "--backbone=tiny_image", f"--workdir={tmp_path}/s"]
    assert main(["distil", *arguments]) == 2
    assert "weights" in capsys.readouterr().err
    assert not (tmp_path / "s" / "distilled" / "report.json").exists()
