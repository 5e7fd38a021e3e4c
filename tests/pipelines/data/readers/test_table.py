"""csv tables: what is read, and what is refused with the line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.data.load import load
from pipelines.data.readers.table import read
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import ImageFiles, Texts
from pipelines.errors import DataError

TEXTS = 'text,label\nrain today,1\n"sun, and wind",10\nnaïve snow,2\n'


def table(folder: Path, content: str | bytes, name: str = "data.csv") -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return f"csv:{path}"


def images(folder: Path, count: int) -> list[str]:
    (folder / "pictures").mkdir()
    names = [f"pictures/naïve {i}.png" for i in range(count)]
    for i, name in enumerate(names):
        pixels = np.random.default_rng(i).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return names


def test_texts_and_labels_in_order_of_value(tmp_path: Path) -> None:
    examples = read(DatasetRef.parse(table(tmp_path, TEXTS)))
    assert isinstance(examples.inputs, Texts)
    values = ["rain today", "sun, and wind", "naïve snow"]
    assert [value.decode() for value in examples.inputs.values] == values
    assert examples.class_names == ("1", "2", "10")
    assert examples.labels.tolist() == [0, 2, 1]
    assert examples.names[2] == "data.csv, line 4"
    assert (examples.groups, examples.splits) == (None, None)


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_spreadsheets_write_is_read(
    tmp_path: Path, start: bytes, end: str
) -> None:
    content = start + TEXTS.replace("\n", end).encode()
    assert len(read(DatasetRef.parse(table(tmp_path, content)))) == 3


def test_tabs_and_lines_inside_a_cell(tmp_path: Path) -> None:
    content = 'text\tlabel\n"two\nlines"\ta\nan, other\tb\n'
    examples = read(DatasetRef.parse(table(tmp_path, content, "data.tsv")))
    assert isinstance(examples.inputs, Texts)
    assert examples.inputs.values.tolist() == [b"two\nlines", b"an, other"]


def test_images_with_columns_of_other_names(tmp_path: Path) -> None:
    names = images(tmp_path, 4)
    rows = "".join(f"{n},{i % 2},p{i},{s}\n" for i, (n, s) in enumerate(zip(names, S)))
    ref = table(tmp_path, f"file,kind,patient,part\n{rows}")
    ref += "?image=file&label=kind&group=patient&split=part"
    assert str(DatasetRef.parse(ref)) == str(
        DatasetRef.parse(str(DatasetRef.parse(ref)))
    )
    examples = read(DatasetRef.parse(ref))
    assert isinstance(examples.inputs, ImageFiles)
    assert examples.inputs.paths == tuple(str(tmp_path / name) for name in names)
    assert examples.groups == ("p0", "p1", "p2", "p3")
    assert examples.splits == ("train", "validation", "test", "train")


S = ["train", "val", "test", "train"]


def test_a_table_is_split_like_any_data(tmp_path: Path) -> None:
    names = images(tmp_path, 40)
    rows = "".join(f"{name},{i % 2}\n" for i, name in enumerate(names))
    splits = load(DatasetRef.parse(table(tmp_path, f"image,label\n{rows}")))
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [
        28,
        6,
        6,
    ]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", "", "it is empty"),
        ("text,label\n", "", "names columns and has no rows"),
        (b"text,label\n\xff\xfe,1\n", "", "it is not UTF-8"),
        ("text,label\na,1,2\n", "", "Line 2 of .* has 3 cells"),
        ("text,label\nok,1\na\n", "", "Line 3 of .* has 1 cells"),
        ("text,text\na,1\n", "", "two columns of the same name"),
        (
            "text,lable\na,1\n",
            "",
            "no column 'label'.*label=COLUMN.*mean 'lable'",
        ),
        ("words,label\na,1\n", "", "Say which one holds the examples"),
        ("words,label\na,1\n", "?text=word", "no column 'word'.*Did you mean 'words'"),
        ("image,text,label\na,b,1\n", "", "Say which one holds the examples"),
        (
            "text,label\n ,1\nb,\n",
            "",
            r"cells: line 2 \(text\), line 3 \(label\)",
        ),
        ("image,label\ngone.png,1\n", "", r"not there: line 2 \(gone.png\)"),
        ("text,label,part\na,1,tset\n", "?split=part", "line 2 .*'tset'.*mean 'test'"),
        ("text,label\na,1\n", "?group=who", "no column 'who'"),
        ('text,label\n"a,1\n', "", "cannot be read as a table: unexpected end"),
    ],
)
def test_refusals_name_the_line_or_the_column(
    tmp_path: Path, content: str | bytes, options: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(DatasetRef.parse(table(tmp_path, content) + options))


def test_an_image_that_is_listed_twice_is_refused(tmp_path: Path) -> None:
    first, second = images(tmp_path, 2)
    content = f"image,label\n{first},a\n{second},b\n{first},b\n"
    with pytest.raises(DataError, match="names an image twice: line 4 and line 2"):
        read(DatasetRef.parse(table(tmp_path, content)))


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no file .*gone.csv"):
        read(DatasetRef.parse(f"csv:{tmp_path}/gone.csv"))


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("csv:a.csv?image=a&text=b", "both given; keep one"),
        (
            "dir:photos?label=kind",
            "label= names a column or a key, and works with",
        ),
        ("npz:a.npz?split=part", "split= names a column"),
    ],
)
def test_options_that_mean_nothing_are_refused(reference: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        DatasetRef.parse(reference)
