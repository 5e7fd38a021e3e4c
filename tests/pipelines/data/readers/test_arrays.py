"""npz files: what is read, and what is refused with a sentence."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.data.readers.arrays import read
from pipelines.errors import DataError

X = np.arange(4 * 5 * 6 * 3, dtype=np.uint8).reshape(4, 5, 6, 3)
Y = np.array([0, 1, 0, 1])


def save(folder: Path, **arrays: Any) -> str:
    path = folder / "data.npz"
    np.savez(path, **({"x": X, "y": Y} | arrays))
    return str(path)


def test_colour_is_kept(tmp_path: Path) -> None:
    examples = read(save(tmp_path))
    assert (examples.inputs.pixels == X).all()
    assert examples.labels.tolist() == [0, 1, 0, 1]
    assert examples.labels.dtype == np.int64
    assert examples.class_names == ("0", "1")
    assert examples.splits is None
    assert examples.groups is None


@pytest.mark.parametrize("grey", [X[..., 0], X[..., :1]])
def test_grey_gets_three_channels(tmp_path: Path, grey: np.ndarray) -> None:
    pixels = read(save(tmp_path, x=grey)).inputs.pixels
    assert pixels.shape == (4, 5, 6, 3)
    assert pixels.dtype == np.uint8
    for channel in range(3):
        assert (pixels[..., channel] == X[..., 0]).all()


@pytest.mark.parametrize(
    ("y", "names", "labels"),
    [
        (np.array([10, 2, 10, 2]), ("2", "10"), [1, 0, 1, 0]),
        (np.array([-1, 3, 3, 7], np.int8), ("-1", "3", "7"), [0, 1, 1, 2]),
        (np.array(["b10", "b2", "a", "b2"]), ("a", "b2", "b10"), [2, 1, 0, 1]),
        (np.array([b"dog", b"cat", b"cat", b"dog"]), ("cat", "dog"), [1, 0, 0, 1]),
    ],
)
def test_labels_of_every_kind(
    tmp_path: Path, y: np.ndarray, names: tuple[str, ...], labels: list[int]
) -> None:
    examples = read(save(tmp_path, y=y))
    assert examples.class_names == names
    assert examples.labels.tolist() == labels


def test_class_names_index_numbers_and_order_strings(tmp_path: Path) -> None:
    numbers = read(save(tmp_path, class_names=["zebra", "ant"]))
    assert numbers.class_names == ("zebra", "ant")
    assert numbers.labels.tolist() == [0, 1, 0, 1]
    words = np.array(["ant", "zebra", "zebra", "ant"])
    texts = read(save(tmp_path, y=words, class_names=["zebra", "ant"]))
    assert texts.class_names == ("zebra", "ant")
    assert texts.labels.tolist() == [1, 0, 0, 1]


def test_groups_and_splits(tmp_path: Path) -> None:
    path = save(tmp_path, group=[7, 7, 8, 9], split=["train", "val", "test", "train"])
    examples = read(path)
    assert examples.groups == ("7", "7", "8", "9")
    assert examples.splits == ("train", "validation", "test", "train")


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"x": X / 255}, r"x in .* is float64; images are uint8.*\(x \* 255\).round"),
    ({"x": X.astype(int)}, r"x in .* is int64; .*x.astype\('uint8'\)"),
    ({"x": X[..., [0, 0, 0, 0]]}, r"shape \(4, 5, 6, 4\); images are"),
    ({"x": X[0, 0]}, r"shape \(6, 3\); images are"),
    ({"x": X[:, :0]}, "holds no pixel"),
    ({"y": Y[:3]}, r"y in .* has shape \(3,\); it needs one value for each of the 4"),
    ({"y": np.eye(4, dtype=int)}, r"exactly one 1 in each row: .* y.argmax\(axis=1\)"),
    ({"y": 2 * np.eye(4, dtype=int)}, r"shape \(4, 4\) and whole numbers other than"),
    ({"y": Y / 2}, "y in .* is float64; it needs whole numbers or strings"),
    ({"group": [1, 2]}, r"group in .* has shape \(2,\)"),
    ({"split": ["train"] * 3 + ["tset"]}, "the value 'tset'.*Did you mean 'test'"),
    ({"splits": ["train"] * 4}, "Unknown array 'splits'.*Did you mean 'split'"),
    ({"class_names": ["a"]}, "goes from 0 to 1; with 1 class_names it may go from 0"),
    ({"class_names": ["a", "a"]}, "says a name twice"),
    (
        {"y": np.array(["a", "b", "a", "c"]), "class_names": ["a", "b"]},
        "y in .* has 'c', which class_names lacks. Allowed: a, b",
    ),
    ({"y": np.array([{}, 1, 2, 3], object)}, "Object arrays cannot be loaded"),
]


@pytest.mark.parametrize(("arrays", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_refusals_name_the_array(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(save(tmp_path, **arrays))


@pytest.mark.parametrize("missing", ["x", "y"])
def test_a_missing_array_is_named(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, **{name: a for name, a in (("x", X), ("y", Y)) if name != missing})
    with pytest.raises(DataError, match=f"has no array '{missing}'"):
        read(str(path))


def test_what_is_no_npz_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no file .*gone.npz"):
        read(str(tmp_path / "gone.npz"))
    text, array, cut = (tmp_path / name for name in ("t.npz", "a.npy", "c.npz"))
    text.write_text("not an archive")
    np.save(array, X)
    cut.write_bytes(Path(save(tmp_path)).read_bytes()[:500])
    for path in (text, array, cut):
        with pytest.raises(DataError, match="cannot be read as an npz file"):
            read(str(path))


def test_lying_header_is_refused_before_allocation(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, x=np.zeros((4, 2, 2), np.uint8), y=np.arange(4) % 2)
    assert len(read(str(path))) == 4
    header = np.lib.format.header_data_from_array_1_0(np.zeros(4, np.uint8))
    for shape in ((10**12, 28, 28), (4,)):
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("x", "y"):
                stream = io.BytesIO()
                described = {**header, "shape": shape}
                np.lib.format.write_array_header_1_0(stream, described)
                archive.writestr(f"{name}.npy", stream.getvalue() + bytes(16))
        with pytest.raises(DataError, match="x.npy in .* claims .* file holds 16"):
            read(str(path))


def test_arrays_beyond_memory_are_refused_before_unpacking(tmp_path: Path) -> None:
    """A few hundred bytes that say, in both places, that they unpack to 4 TB."""
    path = tmp_path / "x.npz"
    header = np.lib.format.header_data_from_array_1_0(np.zeros(4, np.uint8))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("x", "y"):
            stream = io.BytesIO()
            shape = (2**30, 64, 64)
            np.lib.format.write_array_header_1_0(stream, {**header, "shape": shape})
            archive.writestr(f"{name}.npy", stream.getvalue() + bytes(1000))
            archive.filelist[-1].file_size = len(stream.getvalue()) + 2**42
    assert path.stat().st_size < 1000
    with pytest.raises(DataError, match="unpacks to 8796.1 GB, .* half of this mach"):
        read(str(path))
