"""The code on all pages runs as it stands, or says above it why it does not."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from pipelines.commands import COMMANDS
from pipelines.commands.console import parsed
from pipelines.config.flags import parse
from pipelines.errors import ConfigError
from tests.docs.blocks import DOCS, PARTS, Block, blocks, hidden_commands, pages
from tests.docs.runner import Outputs, Runner, is_ours, pieces

SMALLEST_SHARE = 0.8
PAGES = pages()
CODE = [block for page in PAGES for block in blocks(page) if block.is_code]
PHOTOS = DOCS / "tutorials/photos.md"
FIRST_MODEL = DOCS / "start/first_model.md"
PORTS = (8500, 8501)


def _id(page: Path) -> str:
    return page.relative_to(DOCS).with_suffix("").as_posix()


@pytest.fixture(scope="session")
def folder(tmp_path_factory, outputs) -> Path:
    """The working folder of all pages: data, and the run of the first tutorial."""
    path = tmp_path_factory.mktemp("pages")
    runner = Runner(path, outputs=outputs)
    for kind in ("texts", "series"):
        runner.run(Block(Path(__file__), 0, "sh", f"zoo demo {kind} --to {kind}"))
    for block in blocks(PHOTOS):
        if block.text.startswith(("zoo demo", "zoo train")):
            runner.run(block)
    return path


@pytest.fixture(scope="session")
def outputs() -> Outputs:
    """The outputs of what is made once for all pages."""
    return {}


@pytest.fixture
def ports():
    """The default ports of the server, for this process alone."""
    with FileLock(Path(os.environ.get("TMPDIR", "/tmp")) / "zootune-docs-ports.lock"):
        for port in PORTS:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    pytest.fail(f"Port {port} is in use, and the pages serve on it.")
        yield


def _run(page: Path, folder: Path, request: pytest.FixtureRequest, **options) -> None:
    code = [block for block in blocks(page) if block.is_code and not block.not_run]
    if any("zoo serve" in block.text for block in code):
        request.getfixturevalue("ports")
    runner = Runner(folder, **options)
    try:
        for block in code:
            runner.run(block)
    finally:
        runner.close()


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.serving
def test_first_model_runs_in_an_empty_folder(tmp_path, request, kept_store):
    _run(FIRST_MODEL, tmp_path, request)
    assert (tmp_path / "runs/photos/report.html").is_file()


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.serving
@pytest.mark.parametrize(
    "page", [page for page in PAGES if page != FIRST_MODEL], ids=_id
)
def test_code_of_a_page_runs(page, request, kept_store):
    if not any(block.is_code and not block.not_run for block in blocks(page)):
        return
    folder = request.getfixturevalue("folder")
    _run(page, folder, request, outputs=request.getfixturevalue("outputs"))
    if "keras" in sys.modules:
        import keras

        keras.backend.clear_session()  # which collects garbage too


def test_four_in_five_blocks_run(capsys):
    run = [block for block in CODE if not block.not_run]
    with capsys.disabled():
        print(f"\ncode on pages: {len(run)} of {len(CODE)} blocks run")
    assert len(run) >= SMALLEST_SHARE * len(CODE)


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_no_command_hides_from_being_run(page):
    assert hidden_commands(page) == []


def test_every_page_is_in_a_toctree():
    files = {path for part in PARTS for path in (DOCS / part).glob("*.md")}
    assert files == set(PAGES)


@pytest.mark.parametrize(
    "block", [block for block in CODE if block.not_run], ids=lambda block: block.place
)
def test_code_that_is_not_run_could_be(block):
    assert len(block.not_run.split()) >= 3
    if block.language == "python":
        compile(block.text, block.place, "exec")
        return
    subprocess.run(["bash", "-n", "-c", block.text], check=True)
    for line in filter(is_ours, pieces(block.text)):
        joined = line.replace("\\\n", " ")
        _check_flags(shlex.split(joined, comments=True)[1:])


def _check_flags(words: list[str]) -> None:
    assert words[0] in COMMANDS
    values = parsed(words[0], words[1:])
    # Short flags of `zoo plan` are another matter.
    if words[0] in ("train", "tune"):
        # A file of the config may be of a run that is not there.
        parse([f for f in values.config_flags if not f.startswith("--config=")])


def test_unknown_flags_are_noticed():
    with pytest.raises(ConfigError):
        _check_flags(["train", "--config.hed.epochs=3"])
    with pytest.raises(ConfigError):
        _check_flags(["rank", "--backbone=resnet50"])
