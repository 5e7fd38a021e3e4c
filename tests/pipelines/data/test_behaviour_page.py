"""Images that go wrong elsewhere, and their fate here: a test for each row.

The rows are those of a page of measurements of TensorFlow, of Keras'
`image_dataset_from_directory`, of `ImageFolder` of TensorFlow Datasets, and of Pillow.
Here every row ends in right pixels, in a refusal that names the file and the reason, or
in a finding of `zoo check`.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_image

from pipelines.audit.audit import audit
from pipelines.data.images.decode import decode, resize
from pipelines.data.input.batches import batches
from pipelines.data.load import load, read
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import ImageFiles, Split
from pipelines.errors import DataError
from pipelines.serving.requests import decode_batch

ROWS = 42
_NOBODY = 65534


def photo(seed: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Smooth noise, which no two seeds share."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def real_photo() -> Image.Image:
    return Image.fromarray(load_sample_image("flower.jpg")[:240, :320])


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def frames(kind: str, **options: object) -> bytes:
    more = [photo(81), photo(82)]
    return saved(photo(80), kind, save_all=True, append_images=more, **options)


class Folder:
    """A folder of two classes of four sound photos, and what becomes of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for c, name in enumerate(("cat", "zebra")):
            for i in range(4):
                self.put(f"{name}/{i}.png", saved(photo(10 * c + i), "PNG"))

    @property
    def reference(self) -> DatasetRef:
        return DatasetRef("dir", str(self.root))

    def put(self, name: str, content: bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def findings(self) -> dict[str, tuple[str, ...]]:
        """The examples of each problem, by severity and problem."""
        found = audit(self.reference).findings
        return {f"{one.severity}: {one.problem}": one.about for one in found}

    def is_refused(self, *reasons: str) -> None:
        """A run would stop, with each of these in its message."""
        with pytest.raises(DataError) as refusal:
            load(self.reference)
        for reason in reasons:
            assert re.search(reason, str(refusal.value)), str(refusal.value)

    def has_bad(self, name: str, content: bytes, reason: str) -> None:
        """A file is named with a reason, when it is checked and before training."""
        assert self.findings() == {}, "the twin: nothing is found without it"
        path = self.put(name, content)
        (found,) = self.findings().items()
        assert found[0].startswith("error: cannot be trained on: ")
        assert re.search(reason, found[0]), found[0]
        assert found[1] == (name,)
        self.is_refused(rf"{re.escape(str(path))}: .*{reason}")
        path.unlink()
        assert len(load(self.reference).train) == 4

    def has_odd(self, name: str, content: bytes, *findings: str) -> None:
        """A file is trained on, and named with what is odd about it."""
        self.put(name, content)
        assert self.findings() == dict.fromkeys(findings, (name,))
        load(self.reference)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "photos")


# As graphs, which are made once.
read_alone = tf.function(decode, input_signature=[tf.TensorSpec([], tf.string)])
read_served = tf.function(
    lambda contents: decode_batch(contents, 24),
    input_signature=[tf.TensorSpec([None], tf.string)],
)


def seen(content: bytes) -> np.ndarray:
    """The pixels that training, evaluation and serving see."""
    pixels = read_alone(tf.constant(content)).numpy()
    served, valid = read_served(tf.constant([content]))
    assert valid.numpy().tolist() == [True]
    wanted = resize(decode(tf.constant(content), wanted_px=24), 24).numpy()
    assert (served.numpy()[0] == wanted).all()
    return pixels.astype(int)


def by_pillow(content: bytes) -> np.ndarray:
    """The pixels that a person sees: upright, and on white where there is nothing."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image).convert("RGB")).astype(int)


def agree(content: bytes) -> bool:
    return bool(np.abs(seen(content) - by_pillow(content)).max() <= 1)


@contextlib.contextmanager
def without_rights() -> Iterator[None]:
    """As a user whom file rights bind; they do not bind root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public_folder() -> Iterator[Folder]:
    """One that others may read; pytest's own folders are private."""
    with tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o755)
        yield Folder(Path(root) / "photos")


# ---- files ----


@pytest.mark.parametrize("kept", [0.95, 0.5, 0.1, -2])
def test_row_01_truncated_jpeg(folder: Folder, kept: float) -> None:
    whole = saved(photo(90, (320, 240)), "JPEG")
    length = int(len(whole) * kept) if kept > 0 else len(whole) - 2
    folder.has_bad("cat/cut.jpg", whole[:length], "cut-short JPEG")
    assert agree(whole)


def test_row_02_truncated_jpeg_is_never_grey(folder: Folder) -> None:
    whole = saved(real_photo(), "JPEG", quality=90)
    half = whole[: len(whole) // 2]
    recovered = tf.io.decode_jpeg(half, channels=3, try_recover_truncated=True).numpy()
    assert (recovered[-50:] == 128).mean() > 0.9, "what TensorFlow would fill in"
    folder.has_bad("cat/half.jpg", half, "cut-short JPEG")


def test_row_03_flipped_bytes_in_a_jpeg(folder: Folder) -> None:
    content = bytearray(saved(real_photo(), "JPEG", quality=90))
    middle = len(content) // 2
    content[middle : middle + 3] = bytes(byte ^ 0x5A for byte in content[middle:][:3])
    sound = seen(saved(real_photo(), "JPEG", quality=90))
    wrong = read_alone(tf.constant(bytes(content))).numpy()
    assert (wrong != sound).any(axis=(1, 2)).mean() > 0.2, "in silence"
    folder.has_bad("cat/flipped.jpg", bytes(content), "TensorFlow decodes all the same")


def test_row_04_small_jpeg_with_bit_errors(folder: Folder) -> None:
    """Most are refused or found; one that changes nothing much may pass."""
    content = saved(photo(90), "JPEG", quality=90)
    start = content.index(b"\xff\xda") + 14
    sound, random_ = seen(content), random.Random(0)
    for i in range(24):
        damaged = bytearray(content)
        for _ in range(8):
            at = random_.randrange(start, len(content) - 2)
            damaged[at] ^= 1 << random_.randrange(8)
        folder.put(f"cat/{i:02}.jpg", bytes(damaged))
    bad = {
        name
        for what, about in folder.findings().items()
        for name in about
        if what.startswith("error: cannot be trained on: ")
    }
    assert len(bad) >= 18
    assert {name for name in bad if not name.endswith(".jpg")} == set()
    missed = {f"cat/{i:02}.jpg" for i in range(24)} - bad
    for name in missed:
        pixels = seen((folder.root / name).read_bytes())
        assert pixels.shape == sound.shape
    folder.is_refused(f"{len(bad)} of 32 image files cannot be used")


def test_row_05_damaged_png(folder: Folder) -> None:
    whole = saved(photo(90), "PNG")
    folder.has_bad("cat/cut.png", whole[: len(whole) // 2], "cut-short PNG")
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0x10
    folder.has_bad("cat/flipped.png", bytes(flipped), "damaged PNG")
    wrong_sum = bytearray(whole)
    wrong_sum[29] ^= 0xFF
    folder.has_bad("cat/sum.png", bytes(wrong_sum), "damaged PNG")


@pytest.mark.parametrize("kind", ["GIF", "BMP", "WebP"])
def test_row_06_truncated_gif_bmp_webp(folder: Folder, kind: str) -> None:
    whole = saved(photo(90), kind.upper())
    cut = whole[: len(whole) // 2]
    folder.has_bad(f"cat/cut.{kind.lower()}", cut, f"cut-short {kind}")
    assert agree(whole)


def test_row_07_zero_bytes(folder: Folder) -> None:
    folder.has_bad("cat/empty.jpg", b"", "empty file")


@pytest.mark.parametrize(
    "content",
    [b"some text\n", b"<!doctype html><html></html>", random.Random(0).randbytes(999)],
    ids=["text", "html", "random"],
)
def test_row_08_no_image_named_jpg(folder: Folder, content: bytes) -> None:
    folder.has_bad("cat/x.jpg", content, "not an image of the kinds JPEG, PNG, GIF")


def test_row_09_bytes_behind_a_jpeg(folder: Folder) -> None:
    content = saved(photo(90), "JPEG")
    assert (seen(content + b"PK\3\4 and more") == seen(content)).all()
    folder.has_odd("cat/more.jpg", content + b"PK\3\4 and more")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.jpg", "PNG"), ("a.jpg", "BMP"), ("a.jpg", "GIF"), ("a.jpg", "WebP")]
    + [("a.png", "JPEG")],
)
def test_row_10_wrong_extension(folder: Folder, name: str, kind: str) -> None:
    content = saved(photo(90), kind.upper())
    assert agree(content)
    ending = Path(name).suffix
    what = f"note: wrong extension: a {kind} whose name ends in {ending}"
    folder.has_odd(f"cat/{name}", content, what)


@pytest.mark.parametrize("kind", ["TIFF", "AVIF", "JPEG2000", "ICO"])
def test_row_11_kinds_of_pillow_named_jpg(folder: Folder, kind: str) -> None:
    content = saved(photo(90), kind)
    said = {"JPEG2000": "JPEG 2000"}.get(kind, kind)
    folder.has_bad("cat/x.jpg", content, f"unsupported: a {said}; JPEG, PNG, GIF")


def test_row_12_endings_that_are_not_indexed(folder: Folder) -> None:
    folder.put("cat/found.webp", saved(photo(90), "WEBP"))
    for i, name in enumerate(("a.tiff", "b.avif", "c.jfif", "d")):
        folder.put(f"cat/{name}", saved(photo(70 + i), "TIFF"))
    assert folder.findings() == {
        "warning: left out: a file named .tiff": ("cat/a.tiff",),
        "warning: left out: a file named .avif": ("cat/b.avif",),
        "warning: left out: a file named .jfif": ("cat/c.jfif",),
        "warning: left out: a file without an ending": ("cat/d",),
    }
    assert "cat/found.webp" in read(folder.reference).names


def test_row_13_webp(folder: Folder) -> None:
    for options in ({"lossless": True}, {"quality": 80}):
        content = saved(photo(90), "WEBP", **options)
        assert agree(content)
    folder.has_odd("cat/x.webp", content)


def test_row_14_animated_gif(folder: Folder) -> None:
    assert agree(frames("GIF"))
    what = "note: animated; the first frame is used"
    folder.has_odd("cat/x.gif", frames("GIF"), what)


def test_row_15_animated_webp(folder: Folder) -> None:
    folder.has_bad("cat/x.webp", frames("WEBP", lossless=True), "an animated WebP")


def test_row_16_cmyk_jpeg(folder: Folder) -> None:
    content = saved(photo(90).convert("CMYK"), "JPEG", quality=95)
    # TensorFlow and Pillow round differently on the way from CMYK.
    assert np.abs(seen(content) - by_pillow(content)).max() <= 2
    folder.has_odd("cat/x.jpg", content, "note: in CMYK")


@pytest.mark.parametrize(("mode", "kind"), [("L", "JPEG"), ("LA", "PNG"), ("1", "PNG")])
def test_row_17_grey_images(mode: str, kind: str) -> None:
    content = saved(photo(90).convert(mode), kind)
    assert agree(content)
    assert seen(content).shape == (48, 64, 3)


def test_row_18_transparent_png(folder: Folder) -> None:
    blue = saved(Image.new("RGBA", (40, 40), (0, 0, 255, 0)), "PNG")
    assert (seen(blue) == 255).all()
    half = photo(90).convert("RGBA")
    half.putalpha(128)
    content = saved(half, "PNG")
    assert agree(content)
    folder.has_odd("cat/x.png", content, "note: transparent, shown on white")


def test_row_19_palette_png(folder: Folder) -> None:
    content = saved(photo(90).convert("P"), "PNG")
    assert agree(content)
    folder.has_odd("cat/x.png", content, "note: with a palette of colours")


def test_row_20_palette_bmp(folder: Folder) -> None:
    content = saved(photo(90).convert("P"), "BMP")
    folder.has_bad("cat/x.bmp", content, "a BMP with a palette")
    assert agree(saved(photo(90), "BMP"))


def test_row_21_grey_png_of_16_bits(folder: Folder) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (40, 40), dtype=np.uint16)
    content = saved(Image.fromarray(deep), "PNG")
    assert (seen(content)[..., 0] == deep >> 8).all()
    assert np.abs(seen(content)[..., 0] - deep / 257).max() <= 1
    what = "note: of 16 bits; the upper 8 are used"
    folder.has_odd("cat/x.png", content, what)


def test_row_22_colour_png_of_16_bits(folder: Folder) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (40, 40, 3), dtype=np.uint16)
    content = tf.io.encode_png(deep).numpy()
    assert (seen(content) == deep >> 8).all()
    assert agree(content)
    what = "note: of 16 bits; the upper 8 are used"
    folder.has_odd("cat/x.png", content, what)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_row_23_exif_orientation(folder: Folder, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(photo(90), "JPEG", exif=exif)
    assert agree(content)
    turned = ("note: turned by its Exif",) if orientation > 1 else ()
    folder.has_odd("cat/x.jpg", content, *turned)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_row_24_one_pixel(folder: Folder, size: tuple[int, int]) -> None:
    content = saved(photo(90, size), "PNG")
    assert agree(content)
    folder.has_odd("cat/x.png", content, "note: smaller than 32 px")


@pytest.mark.parametrize("side", [12_000, 20_000])
def test_row_25_png_bomb(folder: Folder, side: int) -> None:
    """Refused by what the header claims, before a byte of it is decoded."""
    content = bytearray(saved(photo(90), "PNG"))
    content[16:24] = side.to_bytes(4, "big") * 2
    folder.has_bad("cat/x.png", bytes(content), "more than 50 million pixels")


@pytest.mark.parametrize("quality", [30, 75, 100])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_row_26_jpeg_parity(quality: int, subsampling: int, progressive: bool) -> None:
    content = saved(
        real_photo(),
        "JPEG",
        quality=quality,
        subsampling=subsampling,
        progressive=progressive,
    )
    assert (seen(content) == by_pillow(content)).all()


# ---- names and folders ----


def test_row_27_unusual_names(folder: Folder) -> None:
    names = [
        "é 漢.png",
        "a b.png",
        "line\nbreak.png",
        "*?[x].png",
        "-rf.png",
        "q'\".png",
    ]
    for i, name in enumerate(names):
        folder.put(f"cat/{name}", saved(photo(60 + i), "PNG"))
    assert_read(folder, names)
    folder.put("cat/.hidden.png", saved(photo(70), "PNG"))
    assert folder.findings() == {"note: left out: a hidden image": ("cat/.hidden.png",)}
    assert "cat/.hidden.png" not in read(folder.reference).names


def test_row_28_names_that_are_not_utf_8(folder: Folder) -> None:
    names = [os.fsdecode(b"\xff\xfe.png"), os.fsdecode(b"caf\xe9.png")]
    for i, name in enumerate(names):
        folder.put(f"cat/{name}", saved(photo(60 + i), "PNG"))
    assert_read(folder, names)


def assert_read(folder: Folder, names: list[str]) -> None:
    """Nothing is found, and training sees the pixels of these files."""
    assert folder.findings() == {}
    assert len(load(folder.reference).train) > 4
    examples = read(folder.reference)
    rows = [examples.names.index(f"cat/{name}") for name in names]
    split = Split("some", examples.inputs.take(rows), examples.labels[rows])
    for pixels, _ in batches(split, input_size_px=48, batch_size=len(names)):
        for i, one in enumerate(pixels.numpy()):
            wanted = resize(np.asarray(photo(60 + i)), 48).numpy()
            assert (one == wanted).all()


def test_row_29_unreadable_file(public_folder: Folder) -> None:
    path = public_folder.put("cat/x.png", saved(photo(90), "PNG"))
    with without_rights():
        assert public_folder.findings() == {}
    path.chmod(0)
    with without_rights():
        what = "error: cannot be trained on: cannot be read (permission denied)"
        assert public_folder.findings() == {what: ("cat/x.png",)}
        public_folder.is_refused(r"cat/x\.png: cannot be read \(permission denied\)")


def test_row_30_unreadable_class_folder(public_folder: Folder) -> None:
    public_folder.put("dog/x.png", saved(photo(90), "PNG"))
    (public_folder.root / "dog").chmod(0)
    with without_rights():
        what = "error: an unreadable folder (permission denied)"
        assert public_folder.findings()[what] == ("dog",)
        public_folder.is_refused("dog cannot be read: Permission denied")
    # Its names may be listed, and nothing behind them.
    (public_folder.root / "dog").chmod(0o444)
    with without_rights():
        what = "error: cannot be trained on: cannot be read (permission denied)"
        assert public_folder.findings()[what] == ("dog/x.png",)
        public_folder.is_refused("1 independent image")
    (public_folder.root / "dog").chmod(0o755)


def test_row_31_dangling_link(folder: Folder) -> None:
    (folder.root / "cat" / "x.png").symlink_to(folder.root / "nothing.png")
    what = "error: cannot be trained on: cannot be read (a link to nothing)"
    assert folder.findings() == {what: ("cat/x.png",)}
    folder.is_refused(r"cat/x\.png: cannot be read \(a link to nothing\)")
    (folder.root / "nothing.png").write_bytes(saved(photo(90), "PNG"))
    what = "warning: left out: an image in no class folder"
    assert folder.findings() == {what: ("nothing.png",)}


def test_row_32_loop_of_links(folder: Folder) -> None:
    """It ends, and brings no image of another class."""
    before = read(folder.reference).names
    (folder.root / "cat" / "up").symlink_to(folder.root)
    (folder.root / "cat" / "self").symlink_to(folder.root / "cat")
    what = "warning: a loop of links, not followed"
    assert folder.findings() == {what: ("cat/self", "cat/up")}
    assert read(folder.reference).names == before
    (folder.root / "all").symlink_to(folder.root)
    found = folder.findings()
    assert found["error: a class without an image"] == ("all",)
    assert found[what] == ("all", "cat/self", "cat/up")
    folder.is_refused("Class 'all' has no image")


def test_row_33_folder_named_as_an_image(folder: Folder) -> None:
    folder.put("cat/x.jpg/inside.png", saved(photo(90), "PNG"))
    assert folder.findings() == {}
    assert "cat/x.jpg/inside.png" in read(folder.reference).names


def test_row_34_empty_class(folder: Folder) -> None:
    (folder.root / "dog").mkdir()
    folder.put("cow/notes.txt", b"no image")
    what = "error: a class without an image"
    assert folder.findings() == {what: ("cow", "dog")}
    folder.is_refused("Class 'cow' has no image")


def test_row_35_class_of_one_image(folder: Folder) -> None:
    folder.put("dog/0.png", saved(photo(90), "PNG"))
    what = "error: a class with one example, and 3 are needed"
    assert folder.findings() == {what: ("dog",)}
    folder.is_refused("class 'dog' has 1 independent image", "at least 3")
    for i in (1, 2):
        folder.put(f"dog/{i}.png", saved(photo(90 + i), "PNG"))
    for seed in range(6):
        splits = load(DatasetRef("dir", str(folder.root), seed=seed))
        assert [splits.info.counts[s]["dog"] for s in splits.info.counts] == [1, 1, 1]


def test_row_36_class_names_that_are_probably_one(folder: Folder) -> None:
    odd = ("Cat", "cats", "c at", "cat ", "__MACOSX", ".ipynb_checkpoints")
    for c, name in enumerate(odd):
        for i in range(4):
            content = saved(photo(100 + 10 * c + i), "PNG")
            folder.put(f"{name}/{i}.png", content)
    names = ("Cat", "c at", "cat", "cats", "zebra")
    assert read(folder.reference).class_names == names
    found = folder.findings()
    said = {what.rpartition(" ")[2]: about for what, about in found.items()}
    merged = "('cat ', 'cat')."
    assert {*said} == {"case", "blanks", "letter", "'cat')."}
    assert any(what.endswith(f"read as one class: 'cat' {merged}") for what in found)
    assert "'c at' and 'cat'" in said["blanks"]
    assert "'Cat' and 'cat'" in said["case"]
    assert "'cat' and 'cats'" in said["letter"]


def test_row_37_classes_that_are_numbers(folder: Folder) -> None:
    folder.root.joinpath("cat").rename(folder.root / "10")
    folder.root.joinpath("zebra").rename(folder.root / "2")
    for i in range(4):
        folder.put(f"1/{i}.png", saved(photo(90 + i), "PNG"))
    assert read(folder.reference).class_names == ("1", "2", "10")


def test_row_38_nested_folders(folder: Folder) -> None:
    folder.put("cat/2026/may/x.png", saved(photo(90), "PNG"))
    examples = read(folder.reference)
    row = examples.names.index("cat/2026/may/x.png")
    assert examples.class_names[examples.labels[row]] == "cat"


def test_row_39_duplicates(folder: Folder) -> None:
    content = saved(photo(0), "PNG")
    folder.put("zebra/same.png", content)
    what = "warning: the same content in two classes"
    assert folder.findings() == {what: ("cat/0.png = zebra/same.png",)}
    split = Folder(folder.root.parent / "split" / "train")
    split.root = split.root.parent
    for name in ("cat", "zebra"):
        split.put(f"test/{name}/t.png", saved(photo(50 + len(name)), "PNG"))
    assert split.findings() == {}
    split.put("test/cat/leak.png", content)
    (found,) = split.findings()
    assert found == "error: the same content in two splits"
    split.is_refused("The same content lies in two given splits, 1 times")


def test_row_40_no_images(tmp_path: Path) -> None:
    for reference, reason in (
        ("missing", "There is no folder"),
        ("flat", r"no class folders \(and 1 images of its own\)"),
        ("none", "has no class folders"),
    ):
        (tmp_path / "none").mkdir(exist_ok=True)
        (tmp_path / "flat").mkdir(exist_ok=True)
        (tmp_path / "flat" / "x.png").write_bytes(saved(photo(0), "PNG"))
        for function in (load, audit):
            with pytest.raises(DataError, match=reason):
                function(DatasetRef("dir", str(tmp_path / reference)))


def test_row_41_class_of_test_missing_in_train(tmp_path: Path) -> None:
    split = Folder(tmp_path / "train")
    split.root = tmp_path
    for i, name in enumerate(("cat", "zebra")):
        split.put(f"test/{name}/t.png", saved(photo(50 + i), "PNG"))
    assert split.findings() == {}
    split.put("test/dog/t.png", saved(photo(60), "PNG"))
    what = "error: a class with no example in the train split"
    assert split.findings() == {what: ("dog",)}
    split.is_refused("Too few images in train: class 'dog' has 0")


def test_row_42_one_bad_image_among_others(tmp_path: Path) -> None:
    """It loses nothing but itself when it is served, and is named before training."""
    contents = [saved(photo(i), "PNG") for i in range(20)]
    contents[7] = contents[7][:100]
    pixels, valid = read_served(tf.constant(contents))
    assert np.flatnonzero(~valid.numpy()).tolist() == [7]
    for i in set(range(20)) - {7}:
        assert (pixels[i] == resize(np.asarray(photo(i)), 24)).numpy().all()
    paths = [tmp_path / f"{i}.png" for i in range(20)]
    for path, content in zip(paths, contents):
        path.write_bytes(content)
    split = Split("all", ImageFiles(tuple(map(str, paths))), np.zeros(20, np.int64))
    read_batches = batches(split, input_size_px=48, batch_size=4)
    with pytest.raises(tf.errors.InvalidArgumentError):
        list(read_batches)  # and never a batch less


def test_every_row_of_the_page_has_a_test() -> None:
    names = [
        name for name in vars(sys.modules[__name__]) if name.startswith("test_row")
    ]
    assert [int(name.split("_")[2]) for name in names] == list(range(1, ROWS + 1))
