"""Lists of labels and numbers in tf.Example records."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipelines.data.load import check_and_split, read
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError
from tests.support.records import encoded, ref


def write(folder: Path, labels: list, key: str = "label") -> DatasetRef:
    """Records of pictures with these lists of texts, whole numbers or floats."""
    path = folder / "a.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for i, values in enumerate(labels):
            features = {"image": tf.train.Feature()}
            features["image"].bytes_list.value.append(encoded(i))
            if values is not None:
                features[key] = tf.train.Feature()
                kind = type(values[0]) if values else int
                name = {bytes: "bytes", int: "int64", float: "float"}[kind]
                getattr(features[key], f"{name}_list").value.extend(values)
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    return ref(path)


@pytest.mark.parametrize("problem", ["auto", "multi_label"])
def test_lists_of_names_are_labels(tmp_path, problem):
    data = write(tmp_path, [[b"cat", b"dog"], [b"dog"], [b"ant", b"ant"]])
    examples = read(data, problem)
    assert examples.problem == "multi_label"
    assert examples.class_names == ("ant", "cat", "dog")
    assert examples.labels.tolist() == [[0, 1, 1], [0, 0, 1], [1, 0, 0]]


def test_records_without_a_label_have_none(tmp_path):
    data = write(tmp_path, [[3, 7], [], None, [7]])
    examples = read(data, "multi_label")
    assert examples.class_names == ("3", "7")
    assert examples.labels.sum(axis=1).tolist() == [2, 0, 0, 1]
    assert any("2 examples have none" in note for note in examples.notes)
    with pytest.raises(DataError, match="Record 1 of .* has 0 .*single value"):
        read(data, "auto")


def test_a_key_that_no_record_has_is_refused(tmp_path):
    data = write(tmp_path, [[1], [2]], key="other")
    with pytest.raises(DataError, match="Record 0 .* no label under 'label'"):
        read(data, "multi_label")


def test_lists_for_one_class_say_which_problem_fits(tmp_path):
    data = write(tmp_path, [[1], [1, 2]])
    with pytest.raises(DataError, match="Record 1 .*config.problem='multi_label'"):
        read(data, "single_label")


@pytest.mark.parametrize("problem", ["auto", "regression"])
def test_floats_are_numbers_to_predict(tmp_path, problem):
    examples = read(write(tmp_path, [[0.5, 1.0], [2.0, 3.0]]), problem)
    assert (examples.problem, examples.labels.dtype) == ("regression", np.float32)
    assert examples.class_names == ("label_0", "label_1")
    assert examples.labels.tolist() == [[0.5, 1.0], [2.0, 3.0]]


def test_whole_numbers_are_targets_where_asked(tmp_path):
    examples = read(write(tmp_path, [[1, 2], [3, 4]]), "regression")
    assert examples.labels.tolist() == [[1, 2], [3, 4]]
    single = read(write(tmp_path, [[1], [3], [5]]), "regression")
    assert (single.problem, single.labels.ravel().tolist()) == ("regression", [1, 3, 5])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[1.0, 2.0], [1.0]], "Record 1 .* has 1 numbers .*has 2 numbers"),
        ([[1.0], [b"x"]], "Record 1 .* has 1 texts"),
        ([[b"a", b"b"], [1]], "Record 1 .*Labels must all be whole numbers, or all"),
        ([[b"\xff", b"b"]], "Record 0 .* no UTF-8"),
    ],
)
def test_labels_that_do_not_go_together_are_refused(tmp_path, labels, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, labels), "auto")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e9])
def test_numbers_that_nobody_can_learn_are_refused(tmp_path, bad):
    labels = [[float(i)] for i in range(30)] + [[bad]]
    data = write(tmp_path, labels)
    with pytest.raises(DataError, match="record 30"):
        check_and_split(read(data, "auto"), data)
