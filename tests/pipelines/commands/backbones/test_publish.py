from pipelines.cli import main


def test_publish_needs_a_name_and_a_finished_run(tmp_path, capsys):
    assert main(["publish", str(tmp_path)]) == 2
    assert "arguments are required: --name" in capsys.readouterr().err
    assert main(["publish", str(tmp_path), "--name=mine"]) == 2
    assert str(tmp_path) in capsys.readouterr().err
