"""Weights of examples: read by every reader, carried, and refused by name."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.data.checks.content_hashes import content_hashes
from pipelines.data.load import check_and_split, load, read
from pipelines.data.reference import DatasetRef
from pipelines.data.sharding.shard import shard
from pipelines.data.splitting import fingerprint_of
from pipelines.data.weights import checked_weights, require_counting, weights_in_words
from pipelines.errors import DataError

NAMES = ("a", "b", "c")
COUNT = 24
TEXTS = [f"word{i} of {'cats' if i % 2 else 'dogs'}" for i in range(COUNT)]
WEIGHTS = np.linspace(0, 2.3, COUNT).round(3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, -2, 0], r"negative or not finite numbers: b \(-2\)"),
        ([1, 2, float("nan")], r"not finite numbers: c \(nan\)"),
        (["1", "", "many"], r"b \(nan\), c \(nan\)"),
        ([1e300, 1, 1], r"a \(inf\)"),
        ([0, 0, 0], "all 0, so that no example counts"),
        ([1, 2], "2 weights for 3 examples"),
    ],
)
def test_weights_that_cannot_count_are_refused(values, message):
    with pytest.raises(DataError, match=f"column w has.*{message}"):
        checked_weights(values, NAMES, where="column w")


def test_numbers_and_their_texts_are_weights():
    weights = checked_weights(["0", " 0.5 ", "2e1"], NAMES, where="w")
    assert weights.tolist() == [0, 0.5, 20]
    assert weights.dtype == np.float32
    assert "from 0 to 20 (mean 6.833); 1 of weight 0" in weights_in_words(weights)


def test_a_split_where_nothing_counts_is_refused():
    require_counting(np.float32([0, 1]), split="test")
    with pytest.raises(DataError, match="All 2 examples of test have the weight 0"):
        require_counting(np.zeros(2, np.float32), split="test")


def _npz(folder, **arrays):
    values = {"x": np.array(TEXTS), "y": np.arange(COUNT) % 2, "sample_weight": WEIGHTS}
    np.savez(folder / "data.npz", **(values | arrays))
    return DatasetRef.parse(f"npz:{folder}/data.npz")


def _csv(folder):
    rows = (f"{t},{i % 2},{WEIGHTS[i]}" for i, t in enumerate(TEXTS))
    (folder / "data.csv").write_text("\n".join(["text,label,w", *rows]))
    return DatasetRef.parse(f"csv:{folder}/data.csv?weight=w")


def _records(folder):
    with tf.io.TFRecordWriter(str(folder / "data.tfrecord")) as writer:
        for i, text in enumerate(TEXTS):
            values = {
                "text": {"bytes_list": {"value": [text.encode()]}},
                "label": {"int64_list": {"value": [i % 2]}},
                "w": {"float_list": {"value": [WEIGHTS[i]]}},
            }
            features = {
                key: tf.train.Feature(
                    **{kind: getattr(tf.train, _CLASSES[kind])(**inner)}
                )
                for key, one in values.items()
                for kind, inner in one.items()
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    return DatasetRef.parse(f"tfrecord:{folder}/data.tfrecord?weight=w")


_CLASSES = {
    "bytes_list": "BytesList",
    "int64_list": "Int64List",
    "float_list": "FloatList",
}


@pytest.mark.parametrize("write", [_npz, _csv, _records])
def test_every_reader_carries_weights_into_splits(tmp_path, write):
    ref = write(tmp_path)
    examples = read(ref)
    np.testing.assert_allclose(examples.weights, WEIGHTS, rtol=1e-6)
    splits = check_and_split(examples, ref)
    known = dict(zip(TEXTS, WEIGHTS))
    for split in (splits.train, splits.validation, splits.test):
        texts = [text.decode() for text in split.inputs.values]
        np.testing.assert_allclose(
            split.weights, [known[text] for text in texts], rtol=1e-6
        )
        assert split.relative_weights.mean() == pytest.approx(1)
        assert split.take([1]).weights == split.weights[1:2]
    assert any("weights, from 0 to 2.3" in note for note in splits.info.notes)


def test_the_fingerprint_knows_the_weights(tmp_path):
    ref = _npz(tmp_path)
    weighted = load(ref).info.fingerprint
    assert load(_npz(tmp_path, sample_weight=WEIGHTS + 1)).info.fingerprint != weighted
    same = load(_npz(tmp_path, sample_weight=np.ones(COUNT))).info
    np.savez(tmp_path / "data.npz", x=np.array(TEXTS), y=np.arange(COUNT) % 2)
    plain = load(ref).info
    assert len({weighted, same.fingerprint, plain.fingerprint}) == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (WEIGHTS[:-1], r"sample_weight in .* has shape \(23,\)"),
        (WEIGHTS.astype(str), "sample_weight in .* needs a number for each"),
        (np.where(np.arange(COUNT) % 2, WEIGHTS, 0), "'0' in train have the weight"),
    ],
)
def test_arrays_that_are_no_weights_are_refused(tmp_path, values, message):
    with pytest.raises(DataError, match=message):
        load(_npz(tmp_path, sample_weight=values))


def test_references_without_weights_are_refused():
    for text, hint in (
        ("npz:data.npz?weight=w", "array 'sample_weight'"),
        ("dir:photos?weight=w", "list them in a table"),
        ("builtin:digits?weight=w", "not with 'builtin:'"),
    ):
        with pytest.raises(DataError, match=hint):
            DatasetRef.parse(text)


def test_shards_keep_weights(tmp_path):
    pytest.importorskip("apache_beam")
    shard(_csv(tmp_path), tmp_path / "shards", shards=2)
    again = read(DatasetRef.parse(f"tfrecord:{tmp_path}/shards"))
    texts = [text.decode() for text in again.inputs.values]
    known = dict(zip(TEXTS, WEIGHTS))
    np.testing.assert_allclose(again.weights, [known[t] for t in texts], rtol=1e-6)


def test_the_fingerprint_of_a_list_is_the_same(tmp_path):
    splits = load(_npz(tmp_path))
    parts = (splits.train, splits.validation, splits.test)
    contents = [content for part in parts for content in content_hashes(part.inputs)]
    names = [splits.info.class_names[i] for part in parts for i in part.labels]
    weights = np.concatenate([part.weights for part in parts])
    assert fingerprint_of(contents, names, weights) == splits.info.fingerprint
    assert fingerprint_of(contents, names) != splits.info.fingerprint
