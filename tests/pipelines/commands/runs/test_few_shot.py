import json

from pipelines.cli import main

DATA = "builtin:digits?limit=100"
FLAGS = ["--backbone", "tiny_image", "--weights", "none"]


def test_heads_are_compared_over_episodes(capsys):
    episode = ["--ways", "3", "--shots", "1", "--queries", "4", "--episodes", "5"]
    flags = [*FLAGS, *episode, "--heads", "centroid,ridge", "--reads", "all"]
    assert main(["few-shot", "--data", DATA, *flags, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert [score["head"] for score in values["heads"]] == ["centroid", "ridge"]
    assert values["setting"]["episodes"] == 5
    assert len(values["reads"]) > 1


def test_impossible_episodes_are_refused(capsys, tmp_path):
    for flags, code, fault in (
        (["--ways", "1"], 2, "An episode of one class"),
        (["--ways", "11"], 3, "has 10 classes, and an episode has 11"),
        (["--shots", "20"], 3, "use fewer shots"),
    ):
        assert main(["few-shot", "--data", DATA, *FLAGS, *flags]) == code
        assert fault in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["few-shot", "--data", f"dir:{tmp_path / 'empty'}", *FLAGS]) == 3
