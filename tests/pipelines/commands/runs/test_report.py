import json

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
    assert "another version of zootune left them" in capsys.readouterr().err
