"""Examples of several runs, matched by name and label."""

import pytest

from pipelines.comparison.finished import read
from pipelines.comparison.sharing import shared
from pipelines.errors import ConfigError
from tests.support.finished_runs import finished

FILES = [("a/1.jpg", "a", "a", 0.9), ("a/2.jpg", "a", "b", 0.8)]
MORE = [("a/2.jpg", "a", "a", 0.7), ("b/1.jpg", "b", "b", 0.6)]
ROWS = [(f"image {i}", "ab"[i % 2], "a", 0.9) for i in range(4)]


def _runs(tmp_path, *answers, data=()):
    known = [*data, *[None] * (len(answers) - len(data))]
    return [
        read(finished(tmp_path / str(i), of, data=about))
        for i, (of, about) in enumerate(zip(answers, known))
    ]


def test_same_examples_in_another_order_are_matched(tmp_path):
    runs, notes = shared(_runs(tmp_path, FILES, FILES[::-1]))
    assert [run.answers.examples for run in runs] == [["a/1.jpg", "a/2.jpg"]] * 2
    assert runs[1].answers.right.tolist() == [True, False]
    assert notes == ["All 2 test examples are the same ones in all runs."]


def test_only_shared_examples_are_taken(tmp_path):
    about = {"fingerprint": "other"}
    runs, notes = shared(_runs(tmp_path, FILES, MORE, data=[None, about]))
    assert [run.answers.examples for run in runs] == [["a/2.jpg"]] * 2
    assert [run.answers.right.tolist() for run in runs] == [[False], [True]]
    assert notes[0] == "1 test examples are shared; the runs have 2, 2 of their own."
    assert "different data" in notes[1]


def test_examples_with_other_labels_are_left_out(tmp_path):
    other = [("a/1.jpg", "b", "b", 0.9), FILES[1]]
    runs, notes = shared(_runs(tmp_path, FILES, other))
    assert len(runs[0].answers) == 1
    assert "1 examples have another label in one of the runs" in notes[-1]


def test_repeated_rows_are_matched_one_by_one(tmp_path):
    twice = [FILES[0], FILES[0]]
    runs, _ = shared(_runs(tmp_path, twice, twice))
    assert [len(run.answers) for run in runs] == [2, 2]


def test_nothing_in_common_is_refused_with_the_reason(tmp_path):
    with pytest.raises(ConfigError, match=r"no test example in common: no example is"):
        shared(_runs(tmp_path / "files", FILES, [("c.jpg", "a", "a", 0.9)]))
    swapped = [(name, "b", *rest) for name, _, *rest in FILES]
    with pytest.raises(ConfigError, match="2 examples are in both and have another"):
        shared(_runs(tmp_path / "labels", FILES, swapped))
    third = [("b/1.jpg", "b", "b", 0.6), FILES[0]]
    with pytest.raises(ConfigError, match="of all 3 runs.*Compare them in pairs"):
        shared(_runs(tmp_path / "three", FILES, MORE, third))


def test_rows_of_other_data_are_not_matched(tmp_path):
    about = {"fingerprint": "other", "reference": "npz:b.npz"}
    with pytest.raises(ConfigError, match="different data .*no names to match them by"):
        shared(_runs(tmp_path / "other", ROWS, ROWS, data=[None, about]))
    # The same array with a limit: its rows keep their numbers.
    limited = [{"fingerprint": f, "reference": f"npz:a?limit={f}"} for f in "12"]
    runs, _ = shared(_runs(tmp_path / "limit", ROWS, ROWS[1:], data=limited))
    assert len(runs[0].answers) == 3
    moved = [(name, "ba"[i % 2], *rest) for i, (name, _, *rest) in enumerate(ROWS)]
    with pytest.raises(ConfigError, match="no names to match them by"):
        shared(_runs(tmp_path / "moved", ROWS, moved, data=limited))
