"""The site is built without a warning, and no link inside of it is broken."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.commands import COMMANDS
from pipelines.config import field_paths

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from generators.links import broken_links, main  # noqa: E402


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "html"
    built = subprocess.run(
        ["bash", "docs/build.sh", str(Path(sys.executable).parent), str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.mark.slow
def test_site_is_built_with_every_anchor(site):
    commands = (site / "reference/commands.html").read_text()
    assert all(f'id="zoo-{name}"' in commands for name in COMMANDS)
    config = (site / "reference/config.html").read_text()
    anchors = set(re.findall(r'id="(config-[\w-]+)"', config))
    assert {re.sub(r"[._]", "-", f"config.{path}") for path in field_paths()} <= anchors
    errors = (site / "reference/errors.html").read_text()
    assert errors.count("<dt>") > 400
    python = (site / "reference/python.html").read_text()
    assert 'id="zootune.fine_tune"' in python
    assert len(list(site.glob("adr/0*.html"))) == len(list(ROOT.glob("docs/adr/0*")))


@pytest.fixture
def folder(tmp_path):
    def write(**pages: str) -> Path:
        for name, text in pages.items():
            (tmp_path / f"{name}.html").write_text(text)
        return tmp_path

    return write


def test_good_links_pass(folder, capsys):
    path = folder(
        a='<a href="b.html#here">x</a><a href="#top">x</a><p id="top">',
        b='<h1 id="here"></h1><a href="https://keras.io/api#x">x</a><img src="i.png">',
    )
    (path / "i.png").touch()
    assert broken_links(path) == []
    assert main(path) == 0


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("c.html", "the file is missing"),
        ("b.html#there", "the anchor is missing"),
        ("#nowhere", "the anchor is missing"),
        ("../outside.html", "it leads out of the site"),
        ("htps://keras.io", "the scheme"),
        ("https:///x", "the host is missing"),
        ("https://[keras", "Invalid IPv6"),
    ],
)
def test_broken_links_are_named(folder, capsys, link, fault):
    path = folder(a=f'<a href="{link}">x</a>', b='<h1 id="here"></h1>')
    (line,) = broken_links(path)
    assert line.startswith(f"a.html: {link}: {fault}")
    assert main(path) == 1
    assert link in capsys.readouterr().err


def test_a_folder_without_pages_is_refused(tmp_path, capsys):
    assert main(tmp_path) == 1
    assert "build them first" in capsys.readouterr().err
