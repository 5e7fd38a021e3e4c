"""Several labels for each example: lists, and what is refused."""

import numpy as np
import pytest

from pipelines.data.load import check_and_split, read
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError
from tests.support.labelled import in_arrays, in_table

LISTS = ["cat|dog", "dog", "", "cat | ant", "ant|dog"] * 6


def read_lists(folder, labels, option=""):
    ref = DatasetRef.parse(f"{in_table(folder, labels)}{option}")
    return read(ref, "multi_label"), ref


def test_lists_become_columns_of_zeros_and_ones(tmp_path):
    examples, _ = read_lists(tmp_path, LISTS)
    assert examples.class_names == ("ant", "cat", "dog")
    assert examples.labels[:4].tolist() == [[0, 1, 1], [0, 0, 1], [0, 0, 0], [1, 1, 0]]
    assert any("6 examples have none" in note for note in examples.notes)


def test_another_delimiter_is_an_option(tmp_path):
    semicolons = [text.replace("|", ";") for text in LISTS]
    examples, _ = read_lists(tmp_path, semicolons, "?label_delimiter=;")
    assert examples.class_names == ("ant", "cat", "dog")
    without_blanks = [text for text in semicolons if text]
    with pytest.raises(DataError, match="have ';'.*label_delimiter=;"):
        read_lists(tmp_path, without_blanks)
    with pytest.raises(DataError, match="label_delimiter='a' cannot part"):
        DatasetRef.parse("csv:a.csv?label_delimiter=a")


def test_blanks_are_refused_and_doubles_count_once(tmp_path):
    with pytest.raises(DataError, match="line 2 has the labels 'cat\\|\\|dog'.*blank"):
        read_lists(tmp_path, ["cat||dog", "dog", "cat"])
    examples, _ = read_lists(tmp_path, ["cat|cat", "dog|cat", "dog"])
    assert examples.labels.max() == 1
    assert any("twice" in note for note in examples.notes)


@pytest.mark.parametrize(
    ("column", "sentence"),
    [(1, "'every' is on every example.*without it"), (0, "'every' is on no example")],
)
def test_a_label_that_says_nothing_is_refused(tmp_path, column, sentence):
    y = np.stack([np.arange(30) % 2, np.arange(30) % 3 == 0], axis=1).astype(np.int64)
    y = np.column_stack([y, np.full(30, column)])
    ref = DatasetRef.parse(in_arrays(tmp_path, y, class_names=["a", "b", "every"]))
    with pytest.raises(DataError, match=sentence):
        check_and_split(read(ref, "auto"), ref)


def test_a_rare_label_reaches_every_split(tmp_path):
    y = (np.random.default_rng(0).random((60, 4)) < 0.4).astype(np.int64)
    y[:, 3] = 0
    y[:3, 3] = 1
    ref = DatasetRef.parse(in_arrays(tmp_path, y))
    splits = check_and_split(read(ref, "auto"), ref)
    for counts in splits.info.counts.values():
        assert min(counts.values()) >= 1
    y[2, 3] = 0
    short = DatasetRef.parse(in_arrays(tmp_path, y))
    with pytest.raises(DataError, match="label 'label_3' has 2 independent images"):
        check_and_split(read(short, "auto"), short)


def test_label_names_in_any_order_have_one_fingerprint(tmp_path):
    y = (np.random.default_rng(0).random((40, 3)) < 0.5).astype(np.int64)
    names = ["b", "a", "c"]
    prints = []
    for order in ([0, 1, 2], [2, 0, 1]):
        named = [names[i] for i in order]
        ref = DatasetRef.parse(in_arrays(tmp_path, y[:, order], class_names=named))
        prints.append(check_and_split(read(ref, "auto"), ref).info.fingerprint)
    assert prints[0] == prints[1]
