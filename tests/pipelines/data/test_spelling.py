"""One spelling of labels, groups, splits and class names, whatever reads them."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipelines.audit.findings import class_findings
from pipelines.data.load import load, load_part, read
from pipelines.data.names import choices, listing, natural_key
from pipelines.data.readers import sidecar
from pipelines.data.reference import DatasetRef
from pipelines.data.spelling import alike, index_classes, normal, require_names
from pipelines.data.splits import Examples
from pipelines.errors import DataError

COMPOSED, APART = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
FAMILY, PERSIAN, HINDI = "👩\u200d👧", "می\u200cشود", "क\u094d\u200dष"
# A class in several spellings, and the one that is meant.
SPELLINGS = [
    ((COMPOSED, APART), "café"),
    (("cat", " cat", "cat\t", "cat\u3000"), "cat"),
    (("ice cream", "ice\u00a0cream"), "ice cream"),
]
REFUSED = [
    ("", "blank"),
    (" ", "blank"),
    ("\u00a0", "blank"),
    ("\u200d", "blank"),
    ("1" * 5000, "has 5000 characters"),
    ("a\u202eb", "cannot be shown"),
    ("a\u200fb", "cannot be shown"),
    ("a\nb", "cannot be shown"),
    ("a\x1bb", "cannot be shown"),
]
COUNT = 40


def in_table(folder: Path, labels: list[str], groups: list[str]) -> str:
    path = folder / "t.csv"
    rows = [f'words {i},"{label}",{groups[i]}\n' for i, label in enumerate(labels)]
    path.write_text("text,label,who\n" + "".join(rows), newline="")
    return f"csv:{path}?group=who"


def in_arrays(folder: Path, labels: list[str], groups: list[str]) -> str:
    path = folder / "t.npz"
    x = np.array([f"words {i}" for i in range(len(labels))])
    np.savez(path, x=x, y=np.array(labels), group=np.array(groups))
    return f"npz:{path}"


def in_records(folder: Path, labels: list[str], groups: list[str]) -> str:
    path = folder / "t.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for i, (label, group) in enumerate(zip(labels, groups)):
            values = {"text": f"words {i}", "label": label, "who": group}
            features = {
                name: tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[value.encode()])
                )
                for name, value in values.items()
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    return f"tfrecord:{path}?group=who"


READERS = [in_table, in_arrays, in_records]
Reader = Callable[[Path, list[str], list[str]], str]


def read_labels(reader: Reader, folder: Path, labels: list[str]) -> Examples:
    groups = [f"g{i}" for i in range(len(labels))]
    return read(DatasetRef.parse(reader(folder, labels, groups)))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("spellings", "name"), SPELLINGS)
def test_a_class_in_several_spellings_is_one(
    tmp_path: Path, reader: Reader, spellings: tuple[str, ...], name: str
) -> None:
    labels = [
        spellings[i // 2 % len(spellings)] if i % 2 else "dog" for i in range(COUNT)
    ]
    examples = read_labels(reader, tmp_path, labels)
    assert examples.class_names == tuple(sorted((name, "dog")))
    index = examples.class_names.index(name)
    assert examples.labels.tolist() == [
        index if i % 2 else 1 - index for i in range(COUNT)
    ]
    (note,) = examples.notes
    assert repr(name) in note
    assert "read as one class" in note
    assert read_labels(reader, tmp_path, ["a", "b"] * 9).notes == ()


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", [FAMILY, PERSIAN, HINDI])
def test_joiners_are_part_of_words(tmp_path: Path, reader: Reader, name: str) -> None:
    assert name in read_labels(reader, tmp_path, [name, "b"] * 9).class_names


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("name", "message"), REFUSED)
def test_names_that_are_none_are_refused(
    tmp_path: Path, reader: Reader, name: str, message: str
) -> None:
    if reader is in_table and message == "blank":
        message = "empty cells: line 2 .label."
    with pytest.raises(DataError, match=message) as error:
        read_labels(reader, tmp_path, [name, "b"] * 9)
    assert len(str(error.value)) < 500


def test_folders_are_spelt_alike(tmp_path: Path) -> None:
    for split, name in (("Training", COMPOSED), ("val", APART), ("test", f"{APART} ")):
        for c in (name, "dog"):
            (tmp_path / split / c).mkdir(parents=True)
            (tmp_path / split / c / f"{split}.png").touch()
    examples = read(DatasetRef("dir", str(tmp_path)))
    assert examples.class_names == ("café", "dog")
    assert np.bincount(examples.labels).tolist() == [3, 3]


@pytest.mark.parametrize("labels", [[0, 1], ["cat ", "dog"], ["cat", "dog\u00a0"]])
def test_class_names_of_arrays_follow_the_same_rule(
    tmp_path: Path, labels: list
) -> None:
    def saved(*names: str) -> DatasetRef:
        x = np.array([f"words {i}" for i in range(18)])
        path = tmp_path / "t.npz"
        np.savez(path, x=x, y=np.array(labels * 9), class_names=np.array(names))
        return DatasetRef("npz", str(path))

    for names in (("cat", "dog"), (" cat", "dog ")):
        examples = read(saved(*names))
        assert examples.class_names == ("cat", "dog")
        assert examples.labels.tolist() == [0, 1] * 9
    with pytest.raises(DataError, match="says a name twice: 'cat', as 'cat ' and"):
        read(saved("cat ", "cat", "dog"))
    for name in ("", " "):
        with pytest.raises(DataError, match="class name is blank"):
            read(saved("cat", "dog", name))


def test_class_names_beside_records_follow_the_same_rule(tmp_path: Path) -> None:
    labels = ["cat", "dog"] * 9
    ref = DatasetRef.parse(in_records(tmp_path, labels, [f"g{i}" for i in range(18)]))

    def describe(names: list) -> None:
        values = {"class_names": names, "modality": "text", "counts": {}}
        values |= {"fingerprint": "", "reference": "", "format": 1}
        (tmp_path / sidecar.NAME).write_text(json.dumps(values))
        # Its splits are in the records; these have none.

    named = DatasetRef("tfrecord", ref.location, split="label", text="text")
    describe(["dog", " cat"])
    with pytest.raises(DataError, match="split in .* has the value 'cat'"):
        read(named)
    describe(["dog", 7])
    with pytest.raises(DataError, match="class_names are not all texts"):
        read(ref)


@pytest.mark.parametrize("reader", READERS)
def test_groups_in_two_spellings_are_one(tmp_path: Path, reader: Reader) -> None:
    labels = [str(i % 2) for i in range(COUNT)]
    groups = [
        (f"{APART}{i // 4} ", f" {COMPOSED}{i // 4}")[i % 2] for i in range(COUNT)
    ]
    splits = load(DatasetRef.parse(reader(tmp_path, labels, groups)))
    groups = [
        set(part.groups) for part in (splits.train, splits.validation, splits.test)
    ]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 10


@pytest.mark.parametrize("reader", READERS)
def test_a_blank_group_is_refused(tmp_path: Path, reader: Reader) -> None:
    groups = ["", *(f"g{i}" for i in range(1, 18))]
    with pytest.raises(DataError, match="blank|empty cell"):
        read(DatasetRef.parse(reader(tmp_path, ["a", "b"] * 9, groups)))


@pytest.mark.parametrize("reader", READERS)
def test_names_that_differ_in_case_are_noted(
    tmp_path: Path, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    labels = [("Cat", "cat", "dog")[i % 3] for i in range(COUNT)]
    groups = [f"g{i}" for i in range(COUNT)]
    splits = load(DatasetRef.parse(reader(tmp_path, labels, groups)))
    assert set(splits.info.class_names) == {"Cat", "cat", "dog"}
    (note,) = splits.info.notes
    assert "upper and lower case" in note
    assert "'Cat' and 'cat'" in note
    assert note in caplog.messages


def test_class_spelt_otherwise_in_a_split_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [
        (f"words {i}", ("Cat" if i < 30 else "cat") if i % 2 else "dog", part)
        for i in range(COUNT)
        for part in (["train"] if i < 30 else ["test"])
    ]
    lines = "".join(",".join(row) + "\n" for row in rows)
    path.write_text(f"text,label,split\n{lines}")
    with pytest.raises(DataError, match="'cat' has 0 .*'Cat' and 'cat'.*one name"):
        load(DatasetRef.parse(f"csv:{path}?split=split"))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": np.array([b"\xff", b"b"] * 9)}, "y in .* has a value that is not UTF-8"),
        (
            {"y": np.array(["a\ud800", "b"] * 9)},
            "y in .* has a value that is not Unicode",
        ),
        (
            {"group": np.array(["\ud800"] * 18)},
            "group in .* has a value that is not Unicode",
        ),
        (
            {"group": np.array([b"\xff"] * 18)},
            "group in .* has a value that is not UTF-8",
        ),
        (
            {"split": np.array(["\udfff"] * 18)},
            "split in .* has a value that is not Unicode",
        ),
        (
            {"class_names": np.array([b"\xff", b"b"])},
            "class_names in .* has a value that is not UTF-8",
        ),
        ({"x": np.array(["t\ud800"] * 18)}, "Text 0 in .* is not Unicode"),
        ({"x": np.array([b"\xff"] * 18)}, "Text 0 in .* is not UTF-8"),
    ],
)
def test_what_is_no_text_is_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    x = np.array([f"words {i}" for i in range(18)])
    np.savez(tmp_path / "t.npz", **({"x": x, "y": np.arange(18) % 2} | arrays))
    with pytest.raises(DataError, match=message):
        read(DatasetRef("npz", str(tmp_path / "t.npz")))


def test_a_folder_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    for name in (b"\xff", b"dog"):
        folder = Path(str(tmp_path)) / name.decode(errors="surrogateescape")
        folder.mkdir()
        (folder / "a.png").touch()
    with pytest.raises(DataError, match=r"'\\udcff' has characters"):
        read(DatasetRef("dir", str(tmp_path)))


def test_two_names_that_look_the_same_are_refused() -> None:
    require_names(["cat", FAMILY, "👩👩"])
    with pytest.raises(DataError, match="look alike"):
        require_names(["cat", "ca\u200dt"])


def test_evaluation_matches_spellings(tmp_path: Path) -> None:
    from pipelines.problems.single_label import SingleLabel

    labels = [("cat ", "dog")[i % 2] for i in range(18)]
    path = in_table(tmp_path, labels, [f"g{i}" for i in range(18)])
    part, names = load_part(DatasetRef.parse(path), "all", trained_on="")
    problem = SingleLabel([f"{APART}", "dog ", " cat"])
    found = problem.aligned(part.labels, names)
    assert found.tolist() == [2, 1] * 9
    many = SingleLabel([f"class {i}" for i in range(9999)] + ["dog"])
    with pytest.raises(DataError, match=r"have the classes \['cat'\], which") as error:
        many.aligned(part.labels, names)
    assert len(str(error.value)) < 500


def test_digits_order_by_value_however_many() -> None:
    names = ["9" * 6000, "1" + "0" * 6000, "10", "9", "٣", "2"]
    assert sorted(names, key=natural_key) == ["2", "٣", "9", "10", names[0], names[1]]


def test_errors_stay_short() -> None:
    columns = [f"column {i} {'x' * 500}" for i in range(100_000)]
    assert len(choices("label", columns)) < 5000
    assert "and 99960 more" in choices("label", columns)
    assert len(listing(["x" * 10**6], shown=1)) < 500
    message = str(DataError("begin" + "x" * 10**6 + "end"))
    assert len(message) < 7000
    assert message.startswith("begin")
    assert message.endswith("end")


def test_names_are_compared_in_linear_time() -> None:
    """The work is in the letters: twice the names are twice the work."""
    names = [f"class of plates {i:05} {'abc'[i % 3]}" for i in range(4000)]
    found = [one.problem for one in class_findings(dict.fromkeys(names, 9))]
    assert "class names that differ by blanks" not in found
    misspelt = [*names, "zebra", "zebras", "Zebra"]
    by_what = {one.problem: one for one in class_findings(dict.fromkeys(misspelt, 9))}
    assert by_what["class names that differ by upper and lower case"].about == (
        "'zebra' and 'Zebra'",
    )
    assert (
        "'zebra' and 'zebras'" in by_what["class names that differ by one letter"].about
    )


def test_the_normal_form_is_a_fixed_point() -> None:
    rng = np.random.default_rng(0)
    pool = [*"aé ", "e\u0301", "\u00a0", "\u3000", "\u200d", "\u0344", "\u1e9b\u0323"]
    for _ in range(2000):
        text = "".join(rng.choice(pool, rng.integers(0, 8)))
        assert normal(normal(text)) == normal(text)
    assert alike(["a b", "AB", "c"]) == [("a b", "AB")]
    assert index_classes(["b ", "b"]).labels.tolist() == [0, 0]
