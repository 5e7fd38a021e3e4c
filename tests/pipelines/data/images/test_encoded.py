"""The bytes of images are those of their files, in Python and inside of tf.data."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.data.images.encoded import encoded_bytes, reader_of, sent_bytes
from pipelines.data.splits import (
    EncodedImages,
    ImageArray,
    ImageFiles,
    ImageRecords,
    Series,
    Texts,
)
from pipelines.errors import DataError

CONTENTS = [bytes([i]) * (i + 1) for i in range(70)]


@pytest.fixture
def files(tmp_path: Path) -> ImageFiles:
    paths = [tmp_path / f"{i} é.png" for i in range(len(CONTENTS))]
    for path, content in zip(paths, CONTENTS):
        path.write_bytes(content)
    return ImageFiles([str(path) for path in paths])


@pytest.fixture
def records(tmp_path: Path) -> ImageRecords:
    (tmp_path / "one.bin").write_bytes(b"head" + b"".join(CONTENTS))
    length = np.array([len(content) for content in CONTENTS])
    return ImageRecords(
        shards=(str(tmp_path / "one.bin"),),
        shard=np.zeros(len(CONTENTS), np.int64),
        record=np.arange(len(CONTENTS)),
        start=4 + np.cumsum(length) - length,
        length=length,
    )


@pytest.mark.parametrize("kind", ["files", "records"])
def test_bytes_are_equal_in_python_and_graph(kind: str, request) -> None:
    images: EncodedImages = request.getfixturevalue(kind)
    assert [encoded_bytes(images, i) for i in range(70)] == CONTENTS
    stream = tf.data.Dataset.range(70).map(reader_of(images))
    assert list(stream.as_numpy_iterator()) == CONTENTS
    some = images.take([69, 0])
    assert encoded_bytes(some, 0) == CONTENTS[69]


def test_missing_file_is_named(files: ImageFiles) -> None:
    Path(files.paths[3]).unlink()
    with pytest.raises(DataError, match="3 é.png cannot be read: No such file"):
        encoded_bytes(files, 3)


def test_shorter_record_file_is_named(records: ImageRecords) -> None:
    path = Path(records.shards[0])
    path.write_bytes(path.read_bytes()[:-1])
    assert encoded_bytes(records, 68) == CONTENTS[68]
    with pytest.raises(DataError, match="one.bin, record 69 ends early"):
        encoded_bytes(records, 69)


def test_examples_are_sent_as_bytes(tmp_path: Path) -> None:
    pixels = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    sent = sent_bytes(ImageArray(pixels), 1)
    with Image.open(io.BytesIO(sent)) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels[1])
    (tmp_path / "a.png").write_bytes(sent)
    assert sent_bytes(ImageFiles([str(tmp_path / "a.png")]), 0) == sent
    assert sent_bytes(Texts(np.array([b"a", b"bc"], object)), 1) == b"bc"
    with pytest.raises(ValueError, match="series examples are not sent as bytes"):
        sent_bytes(Series(np.zeros((2, 3, 1), np.float32)), 0)
