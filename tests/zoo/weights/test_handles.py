"""A handle is a folder on this machine, or becomes one, and only what it should be."""

import hashlib
import shutil
import tarfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.support import tiny_modules
from zoo.errors import (
    ArchiveError,
    BackboneError,
    CorruptEntryError,
    DownloadError,
    OfflineError,
    UnpinnedError,
    WrongContentError,
)
from zoo.saved_model.layer import SavedModelLayer
from zoo.storage import store
from zoo.weights.handles import (
    is_unpinned,
    is_web_address,
    lasting_handle,
    resolve_handle,
)

SIZE = 16
IMAGES = np.random.default_rng(0).random((4, SIZE, SIZE, 3), np.float32)
QUESTION = "?tf-hub-format=compressed"


def _pack(folder, archive):
    with tarfile.open(archive, "w" if archive.suffix == ".tar" else "w:gz") as tar:
        tar.add(folder, ".")
    return archive


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A module of images, as the archive that TF Hub would send."""
    base = tmp_path_factory.mktemp("packed")
    return _pack(tiny_modules.save_hub(base / "module"), base / "module.tar.gz")


@pytest.fixture
def archive(packed, tmp_path):
    """An archive of its own, which a test may change."""
    return shutil.copy(packed, tmp_path / "module.tar.gz")


class TestFolders:
    def test_paths_and_file_addresses(self, tmp_path, monkeypatch):
        spaced = tmp_path / "my module"
        spaced.mkdir()
        monkeypatch.chdir(tmp_path)
        for handle in (spaced, str(spaced), "my module", spaced.as_uri()):
            assert resolve_handle(handle) == spaced
            assert lasting_handle(handle) == str(spaced)

    @pytest.mark.parametrize(
        ("handle", "message"),
        [
            ("gs://bucket/module", "'gs' is not one of http, https and file"),
            ("C://module", "'c' is not one of http"),
            ("nowhere", "is not a folder on this machine .*nowhere.*begins with https"),
            ("tfhub.dev/google/x/1", "begins with https://"),
            ("file://folder/module", "names the machine 'folder'.*file:///folder/mod"),
            ("nowhere.tar.gz", r"There is no archive .*nowhere\.tar\.gz"),
            ("x.tar#sha256=12", "ends in '#sha256=12'; expected the 64 hexadecimal"),
            (f"x#sha256={'0' * 64}", "has a sha256, but .*x is not an archive"),
        ],
    )
    def test_what_is_none_is_refused(self, handle, message):
        with pytest.raises(BackboneError, match=message):
            resolve_handle(handle)


class TestArchives:
    @pytest.mark.parametrize("name", ["module.tar", "module.tar.gz", "module.tgz"])
    def test_one_is_unpacked_once(self, archive, tmp_path, name):
        with tarfile.open(archive) as tar:
            tar.extractall(tmp_path / "unpacked", filter="data")
        other = _pack(tmp_path / "unpacked", tmp_path / name)
        folder = resolve_handle(other)
        assert folder.is_relative_to(store.folder())
        assert (folder / "saved_model.pb").is_file()
        made = folder.stat().st_mtime_ns
        for handle in (str(other), other.as_uri(), f"{other}#sha256={_sha256(other)}"):
            assert resolve_handle(handle) == folder
        assert folder.stat().st_mtime_ns == made

    def test_archive_is_found_by_its_content(self, archive, tmp_path):
        folder = resolve_handle(archive)
        moved = archive.rename(tmp_path / "moved.tgz")
        assert resolve_handle(moved) == folder
        pinned = lasting_handle(moved)
        assert pinned == f"{moved}#sha256={_sha256(moved)}"
        moved.unlink()
        assert resolve_handle(pinned) == folder
        assert lasting_handle(pinned) == pinned
        with pytest.raises(ArchiveError, match="There is no archive"):
            resolve_handle(moved)

    def test_another_content_is_another_module(self, archive, tmp_path):
        folder = resolve_handle(archive)
        module = tiny_modules.save_bare(tmp_path / "other")
        assert resolve_handle(_pack(module, archive)) != folder

    def test_the_wrong_one_is_refused(self, archive):
        wrong = f"{archive}#sha256={'0' * 64}"
        with pytest.raises(WrongContentError, match=r"sha256 is .*, not 0000"):
            resolve_handle(wrong)
        assert not store.folder().exists()

    def test_changed_archive_is_unpacked_again(self, archive, capsys):
        folder = resolve_handle(archive)
        graph = (folder / "saved_model.pb").read_bytes()
        (folder / "saved_model.pb").write_bytes(b"changed")
        assert resolve_handle(archive) == folder
        assert (folder / "saved_model.pb").read_bytes() == graph
        assert "is not what was put there" in capsys.readouterr().err
        pinned = lasting_handle(archive)
        archive.unlink()
        (folder / "saved_model.pb").write_bytes(b"changed")
        with pytest.raises(ArchiveError, match="no archive .* to unpack again"):
            resolve_handle(pinned)

    def test_other_archives_are_refused_and_not_kept(self, archive, tmp_path):
        archive.write_bytes(archive.read_bytes()[:-20])
        with pytest.raises(ArchiveError, match=r"module\.tar\.gz is not a module.*cut"):
            resolve_handle(archive)
        (tmp_path / "empty").mkdir()
        _pack(tmp_path / "empty", archive)
        with pytest.raises(ArchiveError, match="There is no SavedModel inside"):
            resolve_handle(archive)
        assert not list((store.folder() / "unfinished").iterdir())

    def test_it_may_be_done_offline(self, archive, monkeypatch):
        monkeypatch.setenv("ZOOTUNE_OFFLINE", "1")
        assert resolve_handle(archive).is_dir()


class TestAddresses:
    def test_an_archive_is_asked_for_as_it_is(self, site, answer, packed):
        url = site.at("files/module.tar.gz", answer(packed.read_bytes()))
        folder = resolve_handle(url)
        assert (folder / "saved_model.pb").is_file()
        assert resolve_handle(url, offline=True) == folder
        assert [path for path, _ in site.requests] == ["/files/module.tar.gz"]
        assert lasting_handle(url) == url

    @pytest.mark.parametrize(
        ("page", "asked"),
        [
            ("google/nnlm/2", f"google/nnlm/2{QUESTION}"),
            ("google/nnlm/2?a=b", f"google/nnlm/2?a=b&{QUESTION[1:]}"),
            (f"google/nnlm/2{QUESTION}", f"google/nnlm/2{QUESTION}"),
        ],
    )
    def test_page_of_hub_gives_its_archive(self, site, answer, packed, page, asked):
        """As on tfhub.dev, which sends one from there to Kaggle, and on from there."""
        archive = site.at("bucket/5.tar.gz?key=1", answer(packed.read_bytes()))
        site.at(asked, answer(status=302, location=archive))
        folder = resolve_handle(f"{site.address}/{page}")
        assert (folder / "saved_model.pb").is_file()
        assert [path for path, _ in site.requests] == [
            f"/{asked}",
            "/bucket/5.tar.gz?key=1",
        ]
        assert resolve_handle(f"{site.address}/{page}") == folder
        assert len(site.requests) == 2

    def test_page_without_archive_is_refused(self, site, answer):
        url = site.at("google/nnlm/2", answer(status=404))
        site.at(f"google/nnlm/2{QUESTION}", answer(b"<html>", content_type="text/html"))
        with pytest.raises(WrongContentError, match="is a web page, not the file"):
            resolve_handle(url)
        with pytest.raises(DownloadError, match="answered 404"):
            resolve_handle(f"{site.address}/nowhere")

    def test_its_sha256_is_that_of_the_archive(self, site, answer, packed):
        url = site.at("module.tar.gz", answer(packed.read_bytes()))
        with pytest.raises(WrongContentError, match="is not the expected file"):
            resolve_handle(f"{url}#sha256={'0' * 64}")
        pinned = f"{url}#sha256={_sha256(packed).upper()}"
        assert (resolve_handle(pinned) / "saved_model.pb").is_file()
        assert {path for path, _ in site.requests} == {"/module.tar.gz"}

    def test_one_without_a_sha256_has_to_be_trusted(
        self, site, answer, packed, monkeypatch
    ):
        url = site.at("module.tar.gz", answer(packed.read_bytes()))
        pinned = f"{url}#sha256={_sha256(packed)}"
        assert is_unpinned(url)
        assert not any(map(is_unpinned, (pinned, str(packed), "")))
        monkeypatch.delenv("ZOOTUNE_ALLOW_UNPINNED")
        with pytest.raises(UnpinnedError, match="No hash of .*module.tar.gz is known"):
            resolve_handle(url)
        assert site.requests == []
        assert (resolve_handle(pinned) / "saved_model.pb").is_file()
        folder = resolve_handle(url, allow_unpinned=True)
        assert resolve_handle(url) == folder

    def test_offline_only_what_is_here(self, site, answer, packed, monkeypatch):
        url = site.at("module.tar.gz", answer(packed.read_bytes()))
        monkeypatch.setenv("ZOOTUNE_OFFLINE", "1")
        with pytest.raises(OfflineError, match="nothing is fetched offline"):
            resolve_handle(url)
        assert site.requests == []
        folder = resolve_handle(url, offline=False)
        assert resolve_handle(url) == folder
        (folder / "saved_model.pb").write_bytes(b"changed")
        with pytest.raises(CorruptEntryError, match="is not what was put there"):
            resolve_handle(url)

    def test_addresses_are_told_from_paths(self):
        assert is_web_address("https://tfhub.dev/google/nnlm-en-dim50/2")
        assert not any(map(is_web_address, ("https", "http:x", "file:///x", "a/b", "")))


class TestLayers:
    def _model(self, handle):
        images = keras.Input((SIZE, SIZE, 3))
        return keras.Model(images, SavedModelLayer(handle, name="module")(images))

    def test_a_module_from_an_address_is_a_backbone(self, site, answer, packed):
        url = site.at("module.tar.gz", answer(packed.read_bytes()))
        backbone = zoo.build("tfhub", handle=url, input_size_px=SIZE)
        assert backbone.spec.handle == url
        loaded = tf.saved_model.load(str(resolve_handle(url, offline=True)))
        np.testing.assert_allclose(
            backbone.model(IMAGES * 255)[:, 0, 0], loaded(IMAGES), atol=1e-6
        )

    def test_a_keras_file_finds_it_in_another_store(
        self, site, answer, packed, tmp_path, monkeypatch
    ):
        url = site.at("module.tar.gz", answer(packed.read_bytes()))
        model = self._model(url)
        model.get_layer("module").weights[0].assign_add(np.ones((3, 3, 3, 6)))
        model.save(tmp_path / "model.keras")
        monkeypatch.setenv("ZOOTUNE_HOME", str(tmp_path / "home"))
        resolve_handle(url)  # as `zoo fetch URL` does
        again = keras.models.load_model(tmp_path / "model.keras")
        assert again.get_layer("module").folder.is_relative_to(tmp_path / "home")
        np.testing.assert_array_equal(again(IMAGES), model(IMAGES))

    def test_to_load_a_keras_file_fetches_no_program(
        self, site, answer, packed, tmp_path, monkeypatch
    ):
        url = site.at("module.tar.gz", answer(packed.read_bytes()))
        self._model(url).save(tmp_path / "model.keras")
        monkeypatch.setenv("ZOOTUNE_HOME", str(tmp_path / "home"))
        asked = len(site.requests)
        with pytest.raises(OfflineError, match=f"fetches nothing.*zoo fetch {url}"):
            keras.models.load_model(tmp_path / "model.keras")
        assert len(site.requests) == asked

    def test_keras_file_finds_a_moved_archive(self, archive, tmp_path):
        model = self._model(archive)
        model.save(tmp_path / "model.keras")
        archive.unlink()
        again = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(again(IMAGES), model(IMAGES))
