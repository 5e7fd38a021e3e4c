"""The page of a run says what its files say, and nothing in the data can hurt."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
import shutil
from html.parser import HTMLParser

import pytest

from pipelines.cli import main
from pipelines.errors import ConfigError
from pipelines.report import run_page

HOSTILE = '</td><script>alert(1)</script><img src=x onerror="alert(1)">'
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """The elements of a page with their attributes, its text, and the open elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


@pytest.fixture
def files(finished_run) -> run_page.RunFiles:
    return run_page.read(finished_run)


def with_classes(files: run_page.RunFiles, names: list[str]) -> run_page.RunFiles:
    """The same run with other classes: ten test examples of each, one of them wrong."""
    report = copy.deepcopy(dict(files.report))
    confusion = [[0] * len(names) for _ in names]
    for i, row in enumerate(confusion):
        row[i], row[(i + 1) % len(names)] = 9, 1
    per_class = {
        name: {"precision": 0.9, "recall": 0.9, "f1": i / len(names), "examples": 10}
        for i, name in enumerate(names)
    }
    for split in ("test", "validation"):
        report[split] |= {"confusion": confusion, "per_class": per_class}
    report["class_names"] = names
    report["data"]["counts"] = {
        split: dict.fromkeys(names, 10) for split in ("train", "validation", "test")
    }
    return dataclasses.replace(files, report=report)


def test_a_finished_run_has_its_page(finished_run):
    html = (finished_run / "report.html").read_text(encoding="ascii")
    report = json.loads((finished_run / "report.json").read_text())
    page = Page(html)
    assert page.open == []
    for said in (
        f"{report['test']['accuracy']:.4f}",
        *report["plan"]["reason"].splitlines(),
        report["calibration"]["reason"],
        report["artifact"],
        report["data"]["fingerprint"],
        f"{report['parity']['largest_difference']:.1e}",
        *report["seconds"],
        *report["receipt"],
    ):
        assert said in page.text
    assert "moved by exactly 0" in page.text


def test_the_command_writes_the_same_page_again(finished_run, tmp_path, capsys):
    folder = tmp_path / "run"
    folder.mkdir()
    for path in finished_run.iterdir():
        if path.is_file() and path.name != "report.html":
            shutil.copy(path, folder)
    assert main(["report", str(folder), "--json"]) == 0
    written = folder / "report.html"
    assert json.loads(capsys.readouterr().out) == {"report": str(written)}
    assert written.read_bytes() == (finished_run / "report.html").read_bytes()


def test_a_page_loads_nothing_and_runs_nothing(files):
    hostile = with_classes(files, [HOSTILE, "plain", 'a"b', "line\nbreak", "漢\u202e"])
    html = run_page.page(hostile)
    page = Page(html)
    assert page.open == []
    assert html.isascii()
    assert page.count("script") == 0
    assert page.text.count("<script>alert(1)</script>") >= 3
    assert not re.search(r"https?://", re.sub(r"http-equiv", "", html))
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("src") or "data:").startswith("data:")
        assert (attributes.get("href") or "#").startswith("#")
    metas = [attributes for name, attributes in page.elements if name == "meta"]
    assert any("default-src 'none'" in (one["content"] or "") for one in metas[1:])


def test_page_is_accessible_without_a_mouse(files):
    page = Page(run_page.page(with_classes(files, ["one", "two"])))
    assert page.count("table") == page.count("caption") > 8
    headers = [a for name, a in page.elements if name == "th"]
    scopes = {attributes.get("scope") for attributes in headers}
    assert scopes == {"col", "row"}
    assert all(a.get("alt") for name, a in page.elements if name == "img")
    scrolled = [a for _, a in page.elements if a.get("class") == "scroll"]
    assert scrolled
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in scrolled)
    links = {a["href"] for name, a in page.elements if name == "a"}
    ids = {f"#{a['id']}" for name, a in page.elements if name == "h2"}
    assert links == ids


def test_matrix_for_few_classes_pairs_for_many(files):
    few = Page(run_page.page(with_classes(files, ["one", "two"])))
    assert [a.get("class") for _, a in few.elements].count("matrix") == 2
    names = [f"class {i}" for i in range(1000)]
    html = run_page.page(with_classes(files, names))
    many = Page(html)
    assert "matrix" not in [a.get("class") for _, a in many.elements]
    assert "1000 of 10000 examples were wrong" in many.text
    assert len(html) < 2e6
    assert all(name in many.text for name in names)
    # Worst first: the last of the names has the best F1.
    rows = re.findall(r'<th scope="row">(class \d+)</th><td class', html)
    assert rows[:1000] == names


def test_run_without_evidence_has_a_page(files):
    bare = dataclasses.replace(
        files, plan={**files.plan, "evidence": None}, history=[], depth_plot=None
    )
    page = Page(run_page.page(bare))
    assert page.count("img") == 0
    assert page.open == []


def test_a_folder_without_a_finished_run_is_refused(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "no finished run" in capsys.readouterr().err


def test_files_of_another_version_are_refused(finished_run, tmp_path, capsys):
    for name in ("report.json", "plan.json", "config.json", "environment.json"):
        shutil.copy(finished_run / name, tmp_path)
    plan = json.loads((finished_run / "plan.json").read_text())
    del plan["evidence"]
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    assert main(["report", str(tmp_path)]) == 2
    assert "no 'evidence', so another version" in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_a_damaged_file_is_named(finished_run, tmp_path):
    for name in ("report.json", "plan.json", "config.json", "environment.json"):
        shutil.copy(finished_run / name, tmp_path)
    run_page.read(tmp_path)
    (tmp_path / "plan.json").write_text('{"action": ')
    with pytest.raises(ConfigError, match=r"plan\.json cannot be read"):
        run_page.read(tmp_path)
