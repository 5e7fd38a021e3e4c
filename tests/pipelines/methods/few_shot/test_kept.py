import numpy as np
import pytest

from pipelines.errors import ConfigError, DataError
from pipelines.methods.few_shot.kept import ClassRows, by_class


def rows(*contents):
    hashes = np.array(contents, "S64")
    return ClassRows(np.full((len(contents), 3), len(contents), np.float16), hashes)


@pytest.fixture
def kept():
    features = np.arange(12, dtype=np.float16).reshape(4, 3)
    return by_class(features, np.array([0, 1, 1, 2]), "abc", [b"1", b"2", b"3", b"4"])


def test_classes_come_and_go_in_order_of_names(kept):
    more = kept.added("B", rows(b"5"))
    assert more.names == ("B", "a", "b", "c")
    assert more.removed("B").names == kept.names
    features, labels = more.rows()
    assert features.shape == (5, 3)
    assert labels.tolist() == [0, 1, 2, 2, 3]
    assert kept.size_bytes == 4 * (3 * 2 + 64)


def test_wrong_changes_are_refused(kept):
    with pytest.raises(ConfigError, match="is a class 'a' already"):
        kept.added("a", rows(b"5"))
    with pytest.raises(DataError, match="1 examples of 'd' have the content of .*'b'"):
        kept.added("d", rows(b"5", b"3"))
    with pytest.raises(ConfigError, match="no class 'x'"):
        kept.removed("x")
    with pytest.raises(ConfigError, match="only one class would be left"):
        kept.removed("a").removed("b")


def test_an_example_is_forgotten_by_content(kept):
    assert kept.forgotten(b"3").rows()[1].tolist() == [0, 1, 2]
    with pytest.raises(DataError, match="No example that was learned"):
        kept.forgotten(b"9")
    with pytest.raises(DataError, match=r"remove_class\('c'\)"):
        kept.forgotten(b"4")
