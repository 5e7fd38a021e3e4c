"""The command `zoo distil`, in process."""

from pipelines.cli import main


def test_folder_without_a_run_exits_2(capsys, tmp_path):
    arguments = [str(tmp_path), "--backbone=tiny_image", f"--workdir={tmp_path}/s"]
    assert main(["distil", *arguments]) == 2
    assert "holds no finished run" in capsys.readouterr().err


def test_student_as_large_as_its_teacher_exits_2(capsys, finished_run, tmp_path):
    arguments = [str(finished_run), "--backbone=tiny_image", f"--workdir={tmp_path}/s"]
    assert main(["distil", *arguments]) == 2
    assert "would be no smaller" in capsys.readouterr().err
    assert not (tmp_path / "s" / "distilled" / "report.json").exists()


def test_student_without_its_weights_is_refused(capsys, finished_run, tmp_path):
    arguments = [str(finished_run), "--backbone=tiny_image", f"--workdir={tmp_path}/s"]
    assert main(["distil", *arguments, f"--weights={tmp_path}/none.h5"]) != 0
    assert "There is no weight file" in capsys.readouterr().err
