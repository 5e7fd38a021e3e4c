"""The page of a run says what its files say, and nothing in the data can hurt."""

from __future__ import annotations

import base64
import copy
import dataclasses
import hashlib
import json
import re
import shutil
import sys
from html.parser import HTMLParser

from pipelines.cli import main
from pipelines.report import run_files, run_page
from pipelines.report.gallery_files import Gallery
from tests.support.run_pages import run_of

HOSTILE = '</td><script>alert(1)</script><img src=x onerror="alert(1)">'
VOID = {"meta", "img", "br", "input"}


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
    shutil.copytree(finished_run / "gallery", folder / "gallery")
    assert main(["report", str(folder), "--json"]) == 0
    written = folder / "report.html"
    assert json.loads(capsys.readouterr().out) == {"report": str(written)}
    assert written.read_bytes() == (finished_run / "report.html").read_bytes()


def test_page_runs_no_script_but_its_own(files):
    names = [HOSTILE, "plain", 'a"b', "line\nbreak", "漢\u202e"]
    hostile = run_of(files, names, examples=60, accuracy=0.5)
    html = run_page.page(hostile)
    page = Page(html)
    assert page.open == []
    assert html.isascii()
    assert page.text.count("<script>alert(1)</script>") >= 3
    assert not re.search(r"https?://", html)
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert (attributes.get("src") or "data:").startswith("data:")
        assert (attributes.get("href") or "#").startswith("#")
    kinds = [a.get("type") for name, a in page.elements if name == "script"]
    assert kinds == ["application/json", None]
    (source,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    metas = [attributes for name, attributes in page.elements if name == "meta"]
    policy = next(a["content"] for a in metas if "http-equiv" in a)
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_page_is_accessible_without_a_mouse(files):
    page = Page(run_page.page(run_of(files, ["one", "two"], examples=60)))
    assert page.count("table") == page.count("caption") > 8
    headers = [a for name, a in page.elements if name == "th"]
    assert {a.get("scope") for a in headers} == {"col", "row"}
    pictures = [a for name, a in page.elements if name == "img"]
    assert pictures
    assert all(a.get("alt") or a.get("class") == "heat" for a in pictures)
    plots = [a for name, a in page.elements if name == "svg"]
    assert len(plots) >= 6
    assert all(a["role"] == "img" and a["aria-label"] for a in plots)
    scrolled = [
        a for _, a in page.elements if a.get("class") == "scroll" and "id" not in a
    ]
    assert scrolled
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in scrolled)
    links = {a["href"] for name, a in page.elements if name == "a"}
    sections = {f"#{a['id']}" for name, a in page.elements if name == "section"}
    assert links == sections - {"#result"}
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))


def test_page_of_a_thousand_classes_stays_small(files):
    names = [f"class {i}" for i in range(1000)]
    run = run_of(files, names, examples=10_000)
    html = run_page.page(run)
    page = Page(html)
    assert page.open == []
    assert len(html) < 4e6
    wrong = sum(not row.is_right for row in run.predictions_of["test"])
    assert f"{wrong} of 10000 examples were wrong" in page.text
    assert "Of 1000 classes the 200 with the most errors" in page.text
    assert all(name in page.text for name in names)


def test_single_class_in_test_has_a_page(files):
    page = Page(run_page.page(run_of(files, ["one"], examples=4, accuracy=1.0)))
    assert page.open == []
    assert "No test example was wrong." in page.text
    assert "test: all 4 examples were right." in page.text
    assert "Curves of confidence need 20 test examples at least." in page.text


def test_older_run_has_a_page_with_sentences(files):
    report = copy.deepcopy(files.report)
    for split in ("test", "validation"):
        report["calibration"][split].pop("curves")
    plan = {**files.plan, "evidence": None}
    older = run_files.RunFiles(report, plan, files.config, files.environment, [])
    page = Page(run_page.page(older))
    assert page.open == []
    assert page.count("img") == 0
    for sentence in (
        "This run kept no examples to look at",
        "This run kept no predictions",
        "This run kept no curves of confidence",
        "No epoch was trained, so there are no learning curves.",
        "Nothing was measured before this plan",
    ):
        assert sentence in page.text


def test_pictures_that_moved_away_are_named(files):
    run = run_of(files, ["one", "two"], examples=60, pictures=False)
    page = Page(run_page.page(run))
    assert page.count("img") == 0
    assert "pictures are not in the run folder any more" in page.text
    assert "The picture of 00000.jpg is not in the run folder any more." in page.text


def test_page_without_matplotlib_is_complete(files, monkeypatch):
    run = run_of(files, ["one", "two"], examples=60)
    drawn = Page(run_page.page(run))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = Page(run_page.page(run))
    assert drawn.count("svg") > page.count("svg") == 0
    assert page.text.count("matplotlib is not installed") == drawn.count("svg")
    assert page.count("table") == drawn.count("table")


def test_series_without_matplotlib_says_so(files, monkeypatch):
    run = run_of(files, ["one", "two"], examples=4, pictures=False)
    series = tuple(
        dataclasses.replace(x, series=[[0.0, 1.0]], lost=False)
        for x in run.gallery.examples
    )
    run = dataclasses.replace(run, gallery=Gallery("series", series))
    assert 'id="series-' in run_page.page(run)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "matplotlib is not installed" in Page(run_page.page(run)).text


def test_same_run_has_the_same_page(files):
    run = run_of(files, ["one", "two"], examples=60)
    assert run_page.page(run) == run_page.page(run)


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
