import json

import pytest

from pipelines.cli import main


def test_report_writes_the_page_again(finished_run, capsys):
    page = finished_run / "report.html"
    before = page.read_text()
    assert main(["report", str(finished_run)]) == 0
    assert capsys.readouterr().out == f"{page}\n"
    assert page.read_text() == before
    assert main(["report", str(finished_run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"report": str(page)}


def test_report_of_another_version_is_refused(finished_run, tmp_path, capsys):
    for path in finished_run.glob("*.json*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    report = json.loads((tmp_path / "report.json").read_text())
    del report["test"]
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert main(["report", str(tmp_path)]) == 2
    assert "have no 'test', so another version" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["report", "plan", "gallery", "environment"])
@pytest.mark.parametrize("content", ["[]", "3", '{"test": 7}', '{"examples": [1]}'])
def test_report_of_edited_files_is_refused(
    finished_run, tmp_path, capsys, name, content
):
    for path in finished_run.glob("*.json*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / f"{name}.json").write_text(content)
    code, said = main(["report", str(tmp_path)]), capsys.readouterr().err
    assert code == 2, said
    assert "another version" in said or "cannot be read" in said
