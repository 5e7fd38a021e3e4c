"""`zoo check` names everything that could hurt, and nothing that could not."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.audit.audit import audit
from pipelines.audit.findings import Finding, class_findings
from pipelines.cli import main
from pipelines.data.reference import DatasetRef


def photo(seed: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Smooth noise, which no two seeds share."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of six sound photos."""
    for c, name in enumerate(("cat", "zebra")):
        (tmp_path / name).mkdir()
        for i in range(6):
            photo(10 * c + i).save(tmp_path / name / f"{i}.png")
    return tmp_path


def findings(folder: Path) -> dict[str, Finding]:
    return {
        one.problem: one for one in audit(DatasetRef.parse(f"dir:{folder}")).findings
    }


def only(folder: Path) -> Finding:
    (one,) = findings(folder).values()
    return one


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_sound_data_have_no_findings(folder: Path) -> None:
    found = audit(DatasetRef.parse(f"dir:{folder}"))
    assert found.findings == ()
    assert found.is_fit_to_train
    assert (found.examples.inputs.modality, len(found.examples)) == ("image", 12)
    assert found.counts == {"cat": 6, "zebra": 6}


def with_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(photo(90), "JPEG", exif=exif)


def rgba() -> Image.Image:
    image = photo(91).convert("RGBA")
    image.putalpha(128)
    return image


def frames() -> bytes:
    more = [photo(93), photo(94)]
    return saved(photo(92), "GIF", save_all=True, append_images=more)


CASES: list[tuple[str, Callable[[], bytes], str, str]] = [
    (
        "cut.jpg",
        lambda: saved(photo(90), "JPEG")[:400],
        "error",
        "cut-short JPEG",
    ),
    (
        "html.jpg",
        lambda: b"<html>no</html>",
        "error",
        "not an image of the kinds JPEG, PNG, GIF, BMP",
    ),
    ("empty.png", lambda: b"", "error", "empty file"),
    ("index.bmp", lambda: saved(photo(90).convert("P"), "BMP"), "error", "a palette"),
    (
        "png.jpg",
        lambda: saved(photo(90), "PNG"),
        "note",
        "a PNG whose name ends in .jpg",
    ),
    ("tiny.png", lambda: saved(photo(90, (20, 9)), "PNG"), "note", "smaller than 32"),
    ("turned.jpg", with_exif, "note", "turned by its Exif"),
    ("glass.png", lambda: saved(rgba(), "PNG"), "note", "transparent, shown on white"),
    ("press.jpg", lambda: saved(photo(9).convert("CMYK"), "JPEG"), "note", "in CMYK"),
    ("many.gif", frames, "note", "animated, of which the first frame"),
]


@pytest.mark.parametrize(
    ("name", "content", "severity", "what"), CASES, ids=[case[0] for case in CASES]
)
def test_a_file_is_named_with_what_is_odd_about_it(
    folder: Path, name: str, content: Callable[[], bytes], severity: str, what: str
) -> None:
    (folder / "cat" / name).write_bytes(content())
    found = only(folder)
    assert (found.severity, found.about) == (severity, (f"cat/{name}",))
    assert what in found.problem


def test_sixteen_bits_are_named(folder: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (40, 40), dtype=np.uint16)
    Image.fromarray(deep).save(folder / "cat" / "deep.png")
    assert "of 16 bits" in only(folder).problem


def test_the_same_content_is_told_by_the_harm_that_it_does(folder: Path) -> None:
    content = (folder / "cat" / "0.png").read_bytes()
    (folder / "cat" / "again.png").write_bytes(content)
    found = only(folder)
    assert (found.severity, found.problem) == ("note", "the same content in one class")
    assert found.about == ("cat/0.png = cat/again.png",)
    (folder / "zebra" / "again.png").write_bytes(content)
    found = only(folder)
    assert (found.severity, found.problem) == (
        "warning",
        "the same content in two classes",
    )


def test_the_same_content_in_two_splits_is_an_error(folder: Path) -> None:
    for split in ("train", "test"):
        (folder / "data" / split).mkdir(parents=True)
    for name in ("cat", "zebra"):
        (folder / name).rename(folder / "data" / "train" / name)
        (folder / "data" / "test" / name).mkdir()
        photo(70 + len(name)).save(folder / "data" / "test" / name / "t.png")
    assert findings(folder / "data") == {}
    content = (folder / "data" / "train" / "cat" / "1.png").read_bytes()
    (folder / "data" / "test" / "cat" / "leak.png").write_bytes(content)
    found = only(folder / "data")
    assert (found.severity, found.problem) == (
        "error",
        "the same content in two splits",
    )
    assert found.about == ("train/cat/1.png = test/cat/leak.png",) or found.about == (
        "test/cat/leak.png = train/cat/1.png",
    )


def test_a_photo_that_was_saved_again_is_nearly_the_same(folder: Path) -> None:
    image = Image.open(folder / "cat" / "2.png")
    image.resize((56, 42)).save(folder / "zebra" / "copy.jpg", quality=85)
    found = only(folder)
    assert found.problem == "nearly the same picture in two classes"
    assert found.about == ("cat/2.png = zebra/copy.jpg",)


@pytest.mark.parametrize(
    ("counts", "what", "about"),
    [
        ({"a": 0, "b": 9}, "a class with no example", ("a",)),
        ({"a": 1, "b": 9}, "a class with one example, and 3 are needed", ("a",)),
        ({"a": 2, "b": 9}, "a class with two examples, and 3 are needed", ("a",)),
        ({"a": 101, "b": 10}, "10 times as many", ("a", "b")),
        ({"cat ": 9, "cat": 9}, "differ by blanks", ("'cat ' and 'cat'",)),
        ({"Cat": 9, "cat": 9}, "upper and lower case", ("'Cat' and 'cat'",)),
        ({"cats": 9, "cat": 9}, "by one letter", ("'cats' and 'cat'",)),
        ({"tulip": 9, "tulib": 9}, "by one letter", ("'tulip' and 'tulib'",)),
    ],
)
def test_classes_that_look_wrong(
    counts: dict[str, int], what: str, about: tuple[str, ...]
) -> None:
    (found,) = class_findings(counts)
    assert what in found.problem
    assert found.about == about


@pytest.mark.parametrize(
    "counts",
    [
        {"1": 9, "2": 9, "10": 9, "11": 9},
        {"a": 9, "b": 9},
        {"rose": 100, "tulip": 10},
        {"house": 9, "horses": 9},
    ],
)
def test_classes_that_are_right(counts: dict[str, int]) -> None:
    assert list(class_findings(counts)) == []


def test_texts_are_surveyed_too(tmp_path: Path) -> None:
    rows = [f"text {i},{'ab'[i % 2]}" for i in range(12)] + ["text 1,a"]
    (tmp_path / "t.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    found = audit(DatasetRef.parse(f"csv:{tmp_path}/t.csv"))
    assert found.examples.inputs.modality == "text"
    (one,) = found.findings
    assert one.problem == "the same content in two classes"
    assert one.about == ("t.csv, line 3 = t.csv, line 14",)


def test_all_problems_are_told_at_once(folder: Path) -> None:
    """Also those for which a run would refuse the folder as a whole."""
    (folder / "dog").mkdir()
    (folder / "cat" / "cut.jpg").write_bytes(saved(photo(90), "JPEG")[:400])
    content = (folder / "cat" / "0.png").read_bytes()
    (folder / "zebra" / "same.png").write_bytes(content)
    (folder / "cat" / "scan.tiff").write_bytes(saved(photo(91), "TIFF"))
    found = {what: one.about for what, one in findings(folder).items()}
    assert found.pop("a class without an image") == ("dog",)
    assert found.pop("the same content in two classes") == (
        "cat/0.png = zebra/same.png",
    )
    assert found.pop("left out: a file named .tiff") == ("cat/scan.tiff",)
    ((what, about),) = found.items()
    assert what.startswith("cannot be trained on: cut-short JPEG")
    assert about == ("cat/cut.jpg",)


def test_groups_are_refused_as_a_run_would(folder: Path) -> None:
    reference = DatasetRef("dir", str(folder), group="([a-z]+)[0-9]")
    (found,) = audit(reference).findings
    assert found.severity == "error"
    assert "does not match '0.png'" in found.problem
    assert audit(DatasetRef("dir", str(folder), group="([0-9])")).findings == ()


def test_given_splits_are_counted_by_themselves() -> None:
    """Validation is carved, so train needs two; the test split is as it is."""
    given = {"train": {"a": 1, "b": 9, "c": 2}, "test": {"a": 9, "b": 1, "c": 0}}
    few, none = class_findings({"a": 10, "b": 10, "c": 2}, by_split=given)
    assert (few.severity, few.about) == ("error", ("a",))
    assert few.problem == "a class with one example, and 2 are needed"
    assert (none.severity, none.about) == ("warning", ("c",))
    assert none.problem == "no example in the test split"


def test_names_that_no_terminal_shows_are_escaped(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i, name in enumerate((b"\xff.jpg", b"line\nbreak.jpg")):
        path = folder / "cat" / os.fsdecode(name)
        path.write_bytes(saved(photo(80 + i), "PNG"))
    assert main(["check", f"dir:{folder}"]) == 0
    said = capsys.readouterr().out
    assert r"cat/\udcff.jpg" in said
    assert r"cat/line\nbreak.jpg" in said


def test_the_command_prints_a_table_and_fails_where_training_would(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", f"dir:{folder}"]) == 0
    assert "nothing was found" in capsys.readouterr().out
    (folder / "cat" / "cut.jpg").write_bytes(saved(photo(90), "JPEG")[:400])
    assert main(["check", f"dir:{folder}"]) == 3
    printed = capsys.readouterr()
    assert "13 examples in 2 classes: cat 7, zebra 6" in printed.out
    assert "cat/cut.jpg" in printed.out
    assert "cannot be trained on as it is" in printed.err
    assert main(["check", f"dir:{folder}", "--json"]) == 3
    values = json.loads(capsys.readouterr().out)
    assert values["fit"] is False
    assert values["findings"][0]["about"] == ["cat/cut.jpg"]
