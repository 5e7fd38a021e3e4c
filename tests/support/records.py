"""Files of tf.Example records of small pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from pipelines.data.reference import DatasetRef


def encoded(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (10 + seed % 7, 12, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG" if seed % 2 else "PNG")
    return stream.getvalue()


def feature(value: int | bytes | float | Sequence[int]) -> tf.train.Feature:
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    if isinstance(value, float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
    several = [value] if isinstance(value, int) else value
    return tf.train.Feature(int64_list=tf.train.Int64List(value=several))


def write(path: Path, rows: Sequence[dict]) -> Path:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row in rows:
            features = {name: feature(value) for name, value in row.items()}
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    return path


def ref(pattern: Path | str, options: str = "") -> DatasetRef:
    return DatasetRef.parse(f"tfrecord:{pattern}{options}")
