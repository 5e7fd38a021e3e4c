"""S25 and S26: labels, configs and flags are words, and never code."""

import pickle

import numpy as np
import pytest

from pipelines.cli import main
from pipelines.data.load import load
from pipelines.data.readers.sidecar import NAME
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError
from pipelines.main import main as train

WORDS = (
    "$(touch made)",
    "`touch made`",
    "${HOME}",
    "{0.__class__}",
    "%(seed)s",
    "__import__('os').system('touch made')",
    "!!python/object/apply:os.system [touch made]",
)


class Evil:
    def __reduce__(self):
        return (open, ("made", "w"))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder in which nothing is made."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    assert list(folder.iterdir()) == []


def arrays(**changes):
    pixels = np.zeros((4, 8, 8, 3), np.uint8)
    return {"x": pixels, "y": np.array([0, 1, 0, 1]), **changes}


@pytest.mark.parametrize("name", ["y", "class_names"])
def test_labels_that_are_pickles_are_refused(tmp_path, name):
    path = tmp_path / "evil.npz"
    np.savez(path, **arrays(**{name: np.array([Evil()] * 4, dtype=object)}))
    with pytest.raises(DataError, match=r"evil\.npz"):
        load(DatasetRef.parse(f"npz:{path}"))


def test_pickle_in_place_of_class_names_is_refused(tmp_path):
    (tmp_path / "x.tfrecord").write_bytes(b"")
    (tmp_path / NAME).write_bytes(pickle.dumps(Evil()))
    with pytest.raises(DataError, match=NAME):
        load(DatasetRef.parse(f"tfrecord:{tmp_path}/*.tfrecord"))


def test_names_that_come_twice_are_refused(tmp_path):
    path = tmp_path / "twice.npz"
    np.savez(path, **arrays(class_names=np.array(["cat", "cat"])))
    with pytest.raises(DataError, match="says a name twice"):
        load(DatasetRef.parse(f"npz:{path}"))


@pytest.mark.parametrize("word", WORDS)
def test_flags_are_words(tmp_path, word, capsys):
    """They come back in the message as they were given."""
    flags = ["--config.data=builtin:digits", f"--config.workdir={tmp_path / 'run'}"]
    assert train([*flags, f"--config.backbone={word}"]) == 4
    assert f"No backbone is called '{word}'" in capsys.readouterr().err
    assert train([*flags, f"--config.strategy={word}"]) == 2
    assert word in capsys.readouterr().err
    assert train([*flags, f"--config.data=dir:{tmp_path}/{word}"]) in (2, 3)
    assert main(["info", word]) == 4
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("path", ["../../etc", "/etc", "no_such.field"])
def test_a_field_that_is_none_is_refused(path, capsys):
    assert train([f"--config.{path}=1"]) == 2
    assert capsys.readouterr().err.startswith("zoo: ")
