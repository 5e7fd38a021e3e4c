import json

from pipelines.cli import main
from tests.support.finished_runs import finished

ANSWERS = [(f"{i}.jpg", "ab"[i % 2], "a", 0.9) for i in range(10)]


def test_compare_prints_tables_and_writes_a_page(tmp_path, capsys):
    runs = [str(finished(tmp_path / name, ANSWERS)) for name in ("one", "two")]
    page = tmp_path / "pages" / "runs.html"
    assert main(["compare", *runs, f"--to={page}"]) == 0
    printed = capsys.readouterr().out
    assert "All 10 test examples are the same ones" in printed
    assert printed.endswith(f"page: {page}\n")
    assert "2 runs compared" in page.read_text()
    assert main(["compare", *runs, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["examples"] == 10
    assert [run["run"] for run in values["runs"]] == runs


def test_compare_refuses_in_a_sentence(tmp_path, capsys):
    run = str(finished(tmp_path / "one", ANSWERS))
    assert main(["compare", run, "--to=page.txt"]) == 2
    assert "must end in .html" in capsys.readouterr().err
    assert main(["compare", run, str(tmp_path)]) == 2
    assert "holds no finished run" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    other = str(finished(tmp_path / "two", ANSWERS))
    assert main(["compare", run, other, f"--to={tmp_path}/file/page.html"]) == 2
    assert "page.html cannot be written" in capsys.readouterr().err
