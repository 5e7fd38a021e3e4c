from pipelines.cli import main

DATA = "builtin:digits?limit=100"
FLAGS = ["--backbone", "tiny_image", "--weights", "none"]


def test_tasks_that_cannot_be_drawn_are_refused(capsys, tmp_path):
    for flags, code, fault in (
        (["--ways", "1"], 2, "An episode of one class"),
        (["--ways", "6"], 3, "tasks of 6 classes take 12. Use at most 5 ways"),
        (["--shots", "20"], 3, "use fewer shots"),
        (["--rounds", "0"], 2, "rounds is 0"),
    ):
        command = ["meta", "--data", DATA, "--workdir", str(tmp_path / "m"), *FLAGS]
        assert main([*command, *flags]) == code
        assert fault in capsys.readouterr().err
    assert not (tmp_path / "m").exists()
