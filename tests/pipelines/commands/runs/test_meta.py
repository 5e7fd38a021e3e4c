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


def test_flags_of_another_method_are_refused(capsys, tmp_path):
    for flags, fault in (
        (["--method", "anil", "--steps", "20"], "--method anil has no --steps"),
        (["--blocks", "2"], "--method optimizer has no --blocks"),
        (["--method", "reptile", "--reads", "all"], "Leave --reads out"),
        (["--method", "protonet", "--blocks", "9"], "from 1 to 3"),
    ):
        command = ["meta", "--data", DATA, "--workdir", str(tmp_path / "m"), *FLAGS]
        assert main([*command, *flags, "--queries", "2"]) == 2
        assert fault in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_backbone_is_trained_by_the_command(capsys, tmp_path):
    flags = ["--method", "protonet", "--ways", "3", "--shots", "2", "--queries", "2"]
    command = ["meta", "--data", DATA, "--workdir", str(tmp_path / "m"), *FLAGS]
    assert main([*command, *flags, "--rounds", "2"]) == 0
    assert "nearest class mean on 600 episodes of 5 other" in capsys.readouterr().out
