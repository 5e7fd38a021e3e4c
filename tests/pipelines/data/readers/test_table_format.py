"""The separator and the encoding of a table are detected and noted, or set."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from pipelines.batch.source import parse
from pipelines.data.load import load, read
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError

ROWS = [("naïve; a, b|c", "1,5"), ("two\tnaïve", "2,5"), ("three", "1,5")] * 8


def written(
    delimiter: str, *, header: tuple[str, ...] = ("text", "label"), end: str = "\n"
) -> str:
    lines = [header, *((f"{text} {i}", label) for i, (text, label) in enumerate(ROWS))]
    return "".join(
        delimiter.join(
            f'"{cell}"' if set(cell) & set(';,|\t"') else cell for cell in line
        )
        + end
        for line in lines
    )


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("delimiter", "words"),
    [(",", ""), (";", "semicolons"), ("\t", "tabs"), ("|", "upright bars")],
)
def test_what_separates_cells_is_found_out(
    tmp_path: Path, delimiter: str, words: str, end: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(written(delimiter, end=end).encode())
    examples = read(DatasetRef("csv", str(path)))
    assert examples.class_names == ("1,5", "2,5")
    assert examples.inputs.values[1] == "two\tnaïve 1".encode()
    assert examples.notes == (
        (f"The cells of t.csv are separated by {words}.",) if words else ()
    )


def test_decimal_commas_do_not_separate(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = "".join(f"words {i};{i % 2},5;{i},25\n" for i in range(20))
    path.write_text(f"text;label;weight\n{rows}")
    assert read(DatasetRef("csv", str(path))).class_names == ("0,5", "1,5")


def test_a_text_full_of_semicolons_is_no_sign(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + "a; b; c; d,1\ne; f; g; h,2\n" * 9)
    assert read(DatasetRef("csv", str(path))).class_names == ("1", "2")
    path.write_text("words,kind\n" + "a; b; c; d,1\ne; f; g; h,2\n" * 9)
    ref = DatasetRef("csv", str(path), text="words", label="kind")
    assert read(ref).class_names == ("1", "2")


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-32-le", codecs.BOM_UTF32_LE),
    ],
)
def test_a_mark_says_the_encoding(tmp_path: Path, encoding: str, mark: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(mark + written("\t").encode(encoding))
    examples = read(DatasetRef("csv", str(path)))
    assert examples.inputs.values[0] == "naïve; a, b|c 0".encode()
    assert any("separated by tabs" in note for note in examples.notes)
    is_said = any("as its first bytes say" in note for note in examples.notes)
    assert is_said == (encoding != "utf-8")


def test_other_encodings_are_refused_unless_set(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(written(";").encode("cp1252"))
    with pytest.raises(DataError, match="it is not UTF-8 .*near .*encoding=cp1252"):
        read(DatasetRef("csv", str(path)))
    ref = DatasetRef.parse(f"csv:{path}?encoding=cp1252&delimiter=semicolon")
    assert read(ref).inputs.values[0] == "naïve; a, b|c 0".encode()
    path.write_bytes(written(",").encode("utf-16-le"))
    with pytest.raises(DataError, match="bytes of zero, .*encoding=utf-16-le"):
        read(DatasetRef("csv", str(path)))
    assert len(read(DatasetRef("csv", str(path), encoding="utf-16-le"))) == 24
    # Behind what is looked at first, too.
    path.write_bytes(b"text,label\n" + b"word,1\n" * 50_000 + b"\xff\xfe,2\n")
    with pytest.raises(DataError, match="it is not UTF-8"):
        read(DatasetRef("csv", str(path)))


def test_options_win_and_write_themselves_back(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a;text,label\n" + "x;y,1\nx;z,2\n" * 9)
    for word in (";", "semicolon"):
        ref = DatasetRef.parse(f"csv:{path}?delimiter={word}&text=a&label=text,label")
        assert read(ref).class_names == ("y,1", "z,2")
        assert DatasetRef.parse(str(ref)) == ref
    assert str(DatasetRef.parse("csv:a?delimiter=tab")) == "csv:a?delimiter=tab"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("csv:a?delimiter=comna", "delimiter='comna' is unknown.*mean 'comma'"),
        ("csv:a?encoding=utf-9", "encoding='utf-9' is not known to Python"),
        ("csv:a?encoding=hex", "encoding='hex' is not known to Python"),
        ("npz:a?delimiter=tab", "delimiter= separates the cells .* with 'csv:', not"),
        ("dir:a?encoding=utf-8", "encoding= is the encoding of a table"),
    ],
)
def test_what_means_nothing_is_refused(reference: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        DatasetRef.parse(reference)


def test_form_is_noted_in_log_and_card(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(written(";"))
    note = "The cells of t.csv are separated by semicolons."
    assert load(DatasetRef("csv", str(path))).info.notes == (note,)
    assert note in caplog.messages
    caplog.clear()
    source = parse(f"csv:{path}?text=text", modality="text")
    assert caplog.messages == [note]
    assert [item.text for item in source.items(0, 2)] == [
        "naïve; a, b|c 0".encode(),
        "two\tnaïve 1".encode(),
    ]
    assert len(list(parse(f"csv:{path}?delimiter=;", modality="text").items())) == 24
