"""`zoo check` names everything that could hurt, and nothing that could not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pipelines
from pipelines.audit.audit import audit
from pipelines.cli import main
from pipelines.data.reference import DatasetRef
from pipelines.errors import ConfigError
from tests.support.audits import findings, only
from tests.support.pictures import encode, photo


def test_sound_data_have_no_findings(folder: Path) -> None:
    found = audit(DatasetRef.parse(f"dir:{folder}"))
    assert found.findings == ()
    assert found.is_fit_to_train
    assert (found.examples.inputs.modality, len(found.examples)) == ("image", 12)
    assert found.counts == {"cat": 6, "zebra": 6}


def with_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(photo(90), "JPEG", exif=exif)


def rgba() -> Image.Image:
    image = photo(91).convert("RGBA")
    image.putalpha(128)
    return image


def frames() -> bytes:
    more = [photo(93), photo(94)]
    return encode(photo(92), "GIF", save_all=True, append_images=more)


CASES: list[tuple[str, Callable[[], bytes], str, str]] = [
    (
        "cut.jpg",
        lambda: encode(photo(90), "JPEG")[:400],
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
    ("index.bmp", lambda: encode(photo(90).convert("P"), "BMP"), "error", "a palette"),
    (
        "png.jpg",
        lambda: encode(photo(90), "PNG"),
        "note",
        "a PNG whose name ends in .jpg",
    ),
    ("tiny.png", lambda: encode(photo(90, (20, 9)), "PNG"), "note", "smaller than 32"),
    ("turned.jpg", with_exif, "note", "turned by its Exif"),
    ("glass.png", lambda: encode(rgba(), "PNG"), "note", "transparent, shown on white"),
    ("press.jpg", lambda: encode(photo(9).convert("CMYK"), "JPEG"), "note", "in CMYK"),
    ("many.gif", frames, "note", "animated; the first frame"),
]


@pytest.mark.parametrize(
    ("name", "content", "severity", "what"), CASES, ids=[case[0] for case in CASES]
)
def test_audit_names_bad_and_odd_files(
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


def test_texts_are_audited_too(tmp_path: Path) -> None:
    rows = [f"text {i},{'ab'[i % 2]}" for i in range(12)] + ["text 1,a"]
    (tmp_path / "t.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    found = audit(DatasetRef.parse(f"csv:{tmp_path}/t.csv"))
    assert found.examples.inputs.modality == "text"
    (one,) = found.findings
    assert one.problem == "the same content in two classes"
    assert one.about == ("t.csv, line 3 = t.csv, line 14",)


def test_all_problems_are_reported_at_once(folder: Path) -> None:
    """Also those for which a run would refuse the folder as a whole."""
    (folder / "dog").mkdir()
    (folder / "cat" / "cut.jpg").write_bytes(encode(photo(90), "JPEG")[:400])
    content = (folder / "cat" / "0.png").read_bytes()
    (folder / "zebra" / "same.png").write_bytes(content)
    (folder / "cat" / "scan.tiff").write_bytes(encode(photo(91), "TIFF"))
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


def test_names_that_no_terminal_shows_are_escaped(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i, name in enumerate((b"\xff.jpg", b"line\nbreak.jpg")):
        path = folder / "cat" / os.fsdecode(name)
        path.write_bytes(encode(photo(80 + i), "PNG"))
    assert main(["check", f"dir:{folder}"]) == 0
    said = capsys.readouterr().out
    assert r"cat/\udcff.jpg" in said
    assert r"cat/line\nbreak.jpg" in said


def test_command_prints_a_table_and_fails(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", f"dir:{folder}"]) == 0
    assert "nothing was found" in capsys.readouterr().out
    (folder / "cat" / "cut.jpg").write_bytes(encode(photo(90), "JPEG")[:400])
    assert main(["check", f"dir:{folder}"]) == 3
    printed = capsys.readouterr()
    assert "13 examples in 2 classes: cat 7, zebra 6" in printed.out
    assert "cat/cut.jpg" in printed.out
    assert "cannot be trained on as it is" in printed.err
    assert main(["check", f"dir:{folder}", "--json"]) == 3
    values = json.loads(capsys.readouterr().out)
    assert values["fit"] is False
    assert values["findings"][0]["about"] == ["cat/cut.jpg"]


def test_labels_and_numbers_are_audited(tmp_path: Path, capsys) -> None:
    x = np.random.default_rng(0).integers(0, 256, (30, 8, 8), np.uint8)
    x[1] = x[0]
    y = np.stack([np.arange(30) % 2, np.arange(30) % 3 > 0], axis=1).astype(np.int64)
    np.savez(tmp_path / "labels.npz", x=x, y=y, class_names=["even", "third"])
    np.savez(tmp_path / "numbers.npz", x=x, y=np.linspace(0, 1, 30, dtype=np.float32))
    np.savez(tmp_path / "same.npz", x=x, y=np.stack([y[:, 0], y[:, 0] * 0 + 1], 1))
    labels = audit(DatasetRef.parse(f"npz:{tmp_path / 'labels.npz'}")).to_dict()
    assert labels["problem"] == "multi_label"
    assert labels["counts"] == {"even": 15, "third": 20}
    assert labels["fit"]
    assert "the same content with different labels" in [
        row["what"] for row in labels["findings"]
    ]
    numbers = audit(DatasetRef.parse(f"npz:{tmp_path / 'numbers.npz'}")).to_dict()
    assert (numbers["problem"], numbers["counts"]) == ("regression", {"target": 30})
    assert main(["check", f"npz:{tmp_path / 'same.npz'}"]) == 3
    assert "is on every example" in capsys.readouterr().out


def test_folders_of_links_are_audited_as_labels(folder: Path, capsys) -> None:
    first, second = sorted(path for path in folder.iterdir() if path.is_dir())[:2]
    (second / "link.png").symlink_to(next(first.iterdir()))
    ref = f"dir:{folder}"
    plain = audit(DatasetRef.parse(ref)).to_dict()
    labels = audit(DatasetRef.parse(ref), problem="multi_label").to_dict()
    assert sum(labels["counts"].values()) == plain["examples"]
    assert labels["examples"] == plain["examples"] - 1
    command = ["check", ref, "--problem=multi_label", "--fix=elsewhere"]
    assert main(command) == 2
    assert "--fix copies folders of classes" in capsys.readouterr().err


def test_function_of_python_prints_the_table(folder: Path) -> None:
    (folder / "cat" / "cut.jpg").write_bytes(encode(photo(90), "JPEG")[:400])
    printed = repr(pipelines.check(f"dir:{folder}"))
    assert printed.startswith("13 examples in 2 classes: ")
    assert "cut-short JPEG" in printed


def test_arrays_of_a_program_are_checked() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 8, 3), np.uint8)
    pixels[7] = pixels[0]
    found = pipelines.check((pixels, np.arange(8) % 2))
    assert dict(found.counts) == {"0": 4, "1": 4}
    assert found.findings
    with pytest.raises(ConfigError, match="There is no config.backbone"):
        pipelines.check((pixels, np.arange(8) % 2), backbone="tiny_image")
    with pytest.raises(ConfigError, match="config.problem is 'ranks'; allowed"):
        pipelines.check((pixels, np.arange(8) % 2), problem="ranks")
