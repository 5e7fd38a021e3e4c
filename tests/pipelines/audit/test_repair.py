"""`zoo check --fix` makes a copy in which nothing is found."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from pipelines.audit.audit import audit
from pipelines.audit.repair import LIST, Repair, repair
from pipelines.cli import main
from pipelines.data.images.decode import decode
from pipelines.data.reference import DatasetRef
from pipelines.errors import ConfigError, DataError


def photo(seed: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Smooth noise, which no two seeds share."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of four sound photos."""
    root = tmp_path / "photos"
    for c, name in enumerate(("cat", "zebra")):
        (root / name).mkdir(parents=True)
        for i in range(4):
            photo(10 * c + i).save(root / name / f"{i}.png")
    return root


def fixed(folder: Path) -> dict[str, Repair]:
    """The action on every file; the copy has no problems."""
    target = folder.parent / "fixed"
    done = repair(audit(DatasetRef.parse(f"dir:{folder}")), folder, target)
    listed = json.loads((target / LIST).read_text())
    assert listed["files"] == [
        {"file": one.file, "action": one.action, "to": one.to, "why": one.why}
        for one in done
    ]
    after = audit(DatasetRef.parse(f"dir:{target}"))
    assert after.findings == ()
    written = {path.relative_to(target).as_posix() for path in target.rglob("*.*")}
    assert written == {one.to for one in done if one.to} | {LIST}
    return {one.file: one for one in done}


def pixels(path: Path) -> np.ndarray:
    return decode(tf.constant(path.read_bytes())).numpy().astype(int)


def as_a_person_sees(content: bytes) -> np.ndarray:
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image).convert("RGB")).astype(int)


def rgba() -> Image.Image:
    image = photo(91).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def with_a_hole() -> Image.Image:
    image = rgba()
    image.putalpha(image.getchannel("A").point(lambda value: 255 * (value > 128)))
    return image


def turned(kind: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(photo(92), kind, exif=exif)


def frames(kind: str) -> bytes:
    more = [photo(94), photo(95)]
    options = {"lossless": True} if kind == "WEBP" else {}
    return saved(photo(93), kind, save_all=True, append_images=more, **options)


CONVERTED: dict[str, Callable[[], bytes]] = {
    "palette.bmp": lambda: saved(photo(90).convert("P"), "BMP"),
    "palette.png": lambda: saved(photo(90).convert("P"), "PNG"),
    "scan.tif": lambda: saved(photo(90), "TIFF"),
    "scan.jpg": lambda: saved(photo(90), "TIFF"),
    "new.avif": lambda: saved(photo(90), "AVIF", quality=100),
    "icon.ico": lambda: saved(photo(90, (64, 64)), "ICO", sizes=[(64, 64)]),
    "moving.webp": lambda: frames("WEBP"),
    "moving.gif": lambda: frames("GIF"),
    "glass.png": lambda: saved(rgba(), "PNG"),
    "glass.gif": lambda: saved(with_a_hole(), "GIF"),
    "grey.png": lambda: saved(photo(90).convert("LA"), "PNG"),
    "turned.png": lambda: turned("PNG"),
}
if not Image.registered_extensions().get(".avif"):
    del CONVERTED["new.avif"]  # a Pillow that was built without it


@pytest.mark.parametrize("name", CONVERTED)
def test_what_is_odd_becomes_a_plain_png(folder: Path, name: str) -> None:
    content = CONVERTED[name]()
    (folder / "cat" / name).write_bytes(content)
    done = fixed(folder)[f"cat/{name}"]
    assert done.action == "converted"
    assert done.to == f"cat/{Path(name).stem}.png"
    assert done.why
    copy = pixels(folder.parent / "fixed" / done.to)
    assert np.abs(copy - as_a_person_sees(content)).max() <= 1
    assert (folder / "cat" / name).read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [lambda: turned("JPEG"), lambda: saved(photo(90).convert("CMYK"), "JPEG")],
    ids=["turned", "cmyk"],
)
def test_a_jpeg_stays_one(folder: Path, content: Callable[[], bytes]) -> None:
    (folder / "cat" / "a.jpeg").write_bytes(content())
    done = fixed(folder)["cat/a.jpeg"]
    assert (done.action, done.to) == ("converted", "cat/a.jpeg")
    copy = pixels(folder.parent / "fixed" / done.to)
    assert np.abs(copy - as_a_person_sees(content())).mean() < 2


def test_sixteen_bits_become_the_upper_eight(folder: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (40, 40), dtype=np.uint16)
    Image.fromarray(deep).save(folder / "cat" / "deep.png")
    Image.fromarray(deep[::-1]).save(folder / "cat" / "scan.tiff")
    done = fixed(folder)
    assert done["cat/deep.png"].why == "of 16 bits; the upper 8 are used"
    assert (pixels(folder.parent / "fixed/cat/deep.png")[..., 0] == deep >> 8).all()
    flipped = pixels(folder.parent / "fixed/cat/scan.png")[..., 0]
    assert (flipped == (deep >> 8)[::-1]).all()


def test_what_is_sound_is_copied_byte_by_byte(folder: Path) -> None:
    assert {one.action for one in fixed(folder).values()} == {"copied"}
    for path in folder.rglob("*.png"):
        copy = folder.parent / "fixed" / path.relative_to(folder)
        assert copy.read_bytes() == path.read_bytes()


def test_wrong_extension_is_corrected_to_free_name(folder: Path) -> None:
    for i, name in enumerate(("0.jpg", "x.jfif", "plain")):
        content = saved(photo(70 + i), "PNG" if name == "0.jpg" else "JPEG")
        (folder / "cat" / name).write_bytes(content)
    done = fixed(folder)
    assert (done["cat/0.png"].action, done["cat/0.png"].to) in (
        ("copied", "cat/0.png"),
        ("copied", "cat/0-1.png"),
    )
    assert {done["cat/0.png"].to, done["cat/0.jpg"].to} == {"cat/0.png", "cat/0-1.png"}
    assert done["cat/0.jpg"].action == "renamed"
    assert (done["cat/x.jfif"].action, done["cat/x.jfif"].to) == (
        "renamed",
        "cat/x.jpg",
    )
    assert done["cat/plain"].to == "cat/plain.jpg"


def test_what_is_broken_is_left_out_and_listed(folder: Path) -> None:
    broken = {
        "cut.jpg": saved(photo(90), "JPEG")[:400],
        "empty.png": b"",
        "html.jpg": b"<html>no</html>",
        "cut.tif": saved(photo(90), "TIFF")[:200],
        "float.tif": saved(Image.new("F", (40, 40)), "TIFF"),
        "notes.doc": b"no picture",
    }
    for name, content in broken.items():
        (folder / "cat" / name).write_bytes(content)
    done = fixed(folder)
    for name in broken:
        assert (done[f"cat/{name}"].action, done[f"cat/{name}"].to) == ("left out", "")
        assert done[f"cat/{name}"].why
    assert "which have no agreed range" in done["cat/float.tif"].why


def test_copies_are_kept_once_per_class(
    folder: Path,
) -> None:
    (folder / "cat" / "again.png").write_bytes((folder / "cat/0.png").read_bytes())
    (folder / "zebra" / "both.png").write_bytes((folder / "cat/1.png").read_bytes())
    # Two files whose copies are the same, though they are not.
    for name, kind in (("a.tif", "TIFF"), ("a.bmp", "BMP")):
        (folder / "cat" / name).write_bytes(saved(photo(90).convert("P"), kind))
    done = fixed(folder)
    kept = [done[f"cat/{name}"].action for name in ("0.png", "again.png")]
    assert sorted(kept) == ["copied", "left out"]
    for name in ("cat/1.png", "zebra/both.png"):
        assert done[name].why.startswith("the same content in two classes: cat/1.png")
    assert sorted(done[f"cat/{name}"].action for name in ("a.tif", "a.bmp")) == [
        "converted",
        "left out",
    ]


def test_copy_in_the_test_split_is_kept(folder: Path) -> None:
    root = folder.parent / "splits"
    for split in ("train", "test"):
        for c, name in enumerate(("cat", "zebra")):
            (root / split / name).mkdir(parents=True)
            for i in range(4):
                seed = 100 * (split == "test") + 10 * c + i
                photo(seed).save(root / split / name / f"{i}.png")
    leak = (root / "train/cat/2.png").read_bytes()
    (root / "test/cat/leak.png").write_bytes(leak)
    done = fixed(root)
    assert done["train/cat/2.png"].action == "left out"
    assert done["train/cat/2.png"].why == "the same content as test/cat/leak.png"
    assert done["test/cat/leak.png"].action == "copied"


def test_names_that_are_no_text_are_kept(folder: Path) -> None:
    names = [b"line\nbreak.png", b"quote'\".png", b"\xff\xfe.png", "é ü.png".encode()]
    for i, name in enumerate(names):
        path = os.fsencode(folder / "cat") + b"/" + name
        Path(os.fsdecode(path)).write_bytes(saved(photo(60 + i), "PNG"))
    done = fixed(folder)
    for name in names:
        assert done[f"cat/{os.fsdecode(name)}"].action == "copied"


def test_never_in_place_and_never_over_something(folder: Path) -> None:
    found = audit(DatasetRef.parse(f"dir:{folder}"))
    for target in (folder / "fixed", folder, folder.parent):
        with pytest.raises(ConfigError, match="inside each other|something in it"):
            repair(found, folder, target)
    full = folder.parent / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="full has something in it"):
        repair(found, folder, full)
    assert [path.name for path in full.iterdir()] == ["mine.txt"]
    (full / "mine.txt").unlink()
    assert len(repair(found, folder, full)) == 8


def test_repair_without_sound_files_leaves_nothing(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "bad" / name).mkdir(parents=True)
        (tmp_path / "bad" / name / "x.png").write_bytes(b"no")
    found = audit(DatasetRef.parse(f"dir:{tmp_path}/bad"))
    with pytest.raises(DataError, match="Nothing in .*bad is left"):
        repair(found, tmp_path / "bad", tmp_path / "fixed")
    assert [path.name for path in tmp_path.iterdir()] == ["bad"]


def test_command_reports_and_checks_the_copy(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "cat" / "cut.jpg").write_bytes(saved(photo(90), "JPEG")[:400])
    target = folder.parent / "fixed"
    assert main(["check", f"dir:{folder}", "--fix", str(target)]) == 0
    said = capsys.readouterr().out
    assert "8 copied, 1 left out" in said
    assert said.endswith("nothing was found\n")
    again = folder.parent / "again"
    assert main(["check", f"dir:{folder}", "--fix", str(again), "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["fit"] is False
    assert values["fixed"]["check"]["fit"] is True
    assert len(values["fixed"]["files"]) == 9
    assert main(["check", "builtin:digits", "--fix", str(again)]) == 2
    assert "--fix copies folders" in capsys.readouterr().err
