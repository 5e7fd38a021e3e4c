"""Requests that are made up for the signatures of an artifact, and their file."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.serving import warm_up


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        (tf.TensorSpec([None], tf.string, name="text"), ()),
        (tf.TensorSpec([None], tf.string, name="image_bytes"), ()),
        (tf.TensorSpec([None, 6, 2], tf.float32, name="series"), (6, 2)),
    ],
)
def test_every_signature_has_two_requests(spec, shape):
    requests = warm_up.requests({"serving_default": {spec.name: spec}}, explain=False)
    names = ["serving_default", "features", "classify"]
    assert [name for name, _ in requests] == [n for n in names for _ in range(2)]
    rows = [value for _, inputs in requests for value in inputs.values()]
    assert [len(value) for value in rows] == [1, 4] * 3
    assert rows[1].shape == (4, *shape)
    explained = warm_up.requests({"serving_default": {spec.name: spec}}, explain=True)
    assert {name for name, _ in explained} == {*names, "explain"}


def test_example_has_one_feature():
    text = tf.train.Example.FromString(warm_up.example_of({"text": b"a word"}))
    assert text.features.feature["text"].bytes_list.value == [b"a word"]
    series = warm_up.example_of({"series": np.array([[1.0, 2.0], [3.0, 4.0]])})
    feature = tf.train.Example.FromString(series).features.feature["series"]
    assert feature.float_list.value == [1.0, 2.0, 3.0, 4.0]


def test_file_has_a_record_for_each_request(tmp_path):
    spec = tf.TensorSpec([None], tf.string, name="text")
    requests = warm_up.requests({"serving_default": {spec.name: spec}}, explain=False)
    warm_up.write(tmp_path, requests)
    records = tf.data.TFRecordDataset(str(tmp_path / warm_up.FILE))
    assert len(list(records)) == len(requests) == 6
