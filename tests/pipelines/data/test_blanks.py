"""A blank text is the same in a table, in arrays, in records and in the graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipelines.data.load import load, load_part
from pipelines.data.reference import DatasetRef
from pipelines.display.text import is_blank
from pipelines.errors import DataError
from pipelines.serving.requests import texts

BLANK = ("", " ", "\t\n", "\u00a0", "\u3000", "\u200b", "\ufeff", "\u2028", " \u00ad ")
SEEN = ("a", " a ", "\u3000。", "\u200bx", "-", "\u0301")


def in_table(folder: Path, values: Sequence[str]) -> str:
    path = folder / "t.csv"
    rows = "".join(f'"{value}",{"ab"[i % 2]}\n' for i, value in enumerate(values))
    path.write_text(f"text,label\n{rows}", newline="")
    return f"csv:{path}"


def in_arrays(folder: Path, values: Sequence[str]) -> str:
    x = np.array([value.encode() + b"|" for value in values])
    x = np.array([one[:-1] for one in x.tolist()])
    np.savez(folder / "t.npz", x=x, y=np.arange(len(values)) % 2)
    return f"npz:{folder / 't.npz'}"


def in_records(folder: Path, values: Sequence[str]) -> str:
    path = folder / "t.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for i, value in enumerate(values):
            text = tf.train.BytesList(value=[value.encode()])
            label = tf.train.Int64List(value=[i % 2])
            features = {
                "text": tf.train.Feature(bytes_list=text),
                "label": tf.train.Feature(int64_list=label),
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    return f"tfrecord:{path}"


def in_graph(value: str) -> bool:
    return not texts(tf.constant([value.encode()]))[1].numpy()[0]


READERS = [in_table, in_arrays, in_records]


@pytest.mark.parametrize("value", [*BLANK, *SEEN], ids=ascii)
def test_one_rule_for_all(tmp_path: Path, value: str) -> None:
    assert in_graph(value) == is_blank(value) == (value in BLANK)
    rest = [f"words {i}" for i in range(39)]
    for reader in READERS:
        ref = DatasetRef.parse(reader(tmp_path, [value, *rest]))
        if value not in BLANK:
            assert len(load_part(ref, "all", trained_on="")[0]) == 40
            continue
        with pytest.raises(DataError, match="empty cells: line|has blank texts: ") as e:
            load(ref)
        assert "on_bad=skip" in str(e.value)


def test_blanks_are_equal_in_python_and_graph() -> None:
    characters = [chr(i) for i in range(0x3100)] + ["\ufeff", "\ufff9", "\U000e0001"]
    _, valid = texts(tf.constant([one.encode() for one in characters]))
    assert (~valid.numpy()).tolist() == [is_blank(one) for one in characters]
    assert all(is_blank(one) for one in characters if one.isspace())


@pytest.mark.parametrize("reader", READERS)
def test_blanks_are_skipped_and_counted(tmp_path: Path, reader) -> None:
    values = [" " if i in (3, 8) else f"words {i}" for i in range(40)]
    text = reader(tmp_path, values)
    ref = DatasetRef.parse(f"{text}?on_bad=skip&bad_limit=0.05")
    splits = load(ref)
    assert sum(map(len, (splits.train, splits.validation, splits.test))) == 38
    assert len(splits.info.skipped) == 2
    assert all("blank" in why or "empty" in why for _, why in splits.info.skipped)
    clean = reader(tmp_path, [value for value in values if value != " "])
    kept = {text for part in (splits.train, splits.test) for text in part.inputs.values}
    assert b" " not in kept
    assert len(load_part(DatasetRef.parse(clean), "all", trained_on="")[0]) == 38
    reader(tmp_path, values)
    with pytest.raises(DataError, match=r"2 of 40 examples(.|\n)*bad_limit=0\.04"):
        load(DatasetRef.parse(f"{text}?on_bad=skip&bad_limit=0.04"))


def test_empty_cells_and_missing_files_are_skipped(
    tmp_path: Path,
) -> None:
    from PIL import Image

    rows = []
    for i in range(40):
        pixels = np.random.default_rng(i).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        rows.append([f"{i}.png", "ab"[i % 2], f"p{i}", "train" if i < 30 else "test"])
    for column in range(4):
        rows[column][column] = " "
    rows[9][0] = "gone.png"
    lines = "".join(",".join(row) + "\n" for row in rows)
    (tmp_path / "t.csv").write_text(f"image,label,who,part\n{lines}")
    text = f"csv:{tmp_path}/t.csv?group=who&split=part"
    with pytest.raises(DataError, match=r"line 2 \(image\), .*line 5 \(part\).*skip"):
        load(DatasetRef.parse(text))
    splits = load(DatasetRef.parse(f"{text}&on_bad=skip&bad_limit=0.2"))
    assert [name for name, _ in splits.info.skipped] == [
        *(f"t.csv, line {line}" for line in (2, 3, 4, 5, 11)),
    ]
    assert [why.partition(" (")[0] for _, why in splits.info.skipped] == [
        *["an empty cell"] * 4,
        "cannot be read",
    ]
    assert sum(map(len, (splits.train, splits.validation, splits.test))) == 35
