"""Numbers that are neither pixels nor series yet: the advice works."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.audit.audit import audit
from pipelines.data.data_card import as_markdown, card_of
from pipelines.data.load import load, read
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import ImageArray, Series
from pipelines.errors import DataError

RNG = np.random.default_rng(0)
N = 40


def saved(folder: Path, x: np.ndarray) -> DatasetRef:
    np.savez(folder / "x.npz", x=x, y=np.arange(len(x)) % 2)
    return DatasetRef("npz", str(folder / "x.npz"))


def advised(message: str) -> list[str]:
    return re.findall(r"save ((?:\(|x)\S*(?: [-+*/] \S+)*\.astype\('\w+'\))", message)


@pytest.mark.parametrize(
    ("x", "low", "high"),
    [
        (RNG.random((N, 8, 8, 3)), 0, 255),
        (RNG.integers(0, 256, (N, 8, 8, 3)), 0, 255),
        (RNG.integers(0, 256, (N, 8, 8)), 0, 255),
        (RNG.integers(0, 256, (N, 8, 8, 1)).astype(np.float32), 0, 255),
        (RNG.integers(0, 4096, (N, 8, 8)).astype(np.uint16), 0, 255),
        (RNG.integers(-1000, 3000, (N, 8, 8)).astype(np.int16), 0, 255),
        (RNG.uniform(-1, 1, (N, 8, 8, 3)), 0, 255),
        (RNG.random((N, 8, 8)) > 0.5, 0, 255),
        (RNG.integers(0, 2**40, (N, 8, 8, 3)), 0, 255),
    ],
    ids=lambda x: f"{x.dtype}{x.ndim}" if isinstance(x, np.ndarray) else str(x),
)
def test_advice_for_images_makes_images(
    tmp_path: Path, x: np.ndarray, low: int, high: int
) -> None:
    with pytest.raises(DataError, match="images are uint8") as error:
        read(saved(tmp_path, x))
    first = advised(str(error.value))[0]
    pixels = eval(first, {"x": x, "np": np})
    inputs = read(saved(tmp_path, pixels)).inputs
    assert isinstance(inputs, ImageArray)
    # Nothing wraps around or is cut: the order of values stays, over the whole range.
    flat, before = pixels.ravel().astype(int), x.ravel().astype(float)
    order = np.argsort(before, kind="stable")
    assert (np.diff(flat[order]) >= 0).all()
    assert flat.min() <= low + 2
    assert flat.max() >= high - 2


@pytest.mark.parametrize(
    "x",
    [
        RNG.integers(-3000, 3000, (N, 300)),
        RNG.integers(0, 200, (N, 30)).astype(np.uint8),
        RNG.integers(-3000, 3000, (N, 300, 2)).astype(np.int16),
        RNG.random((N, 30)) > 0.5,
    ],
    ids=lambda x: f"{x.dtype}{x.ndim}",
)
def test_advice_for_series_makes_series(tmp_path: Path, x: np.ndarray) -> None:
    with pytest.raises(DataError, match="For series") as error:
        read(saved(tmp_path, x))
    values = eval(advised(str(error.value))[-1], {"x": x, "np": np})
    inputs = read(saved(tmp_path, values)).inputs
    assert isinstance(inputs, Series)
    assert (inputs.values.reshape(x.shape) == x).all()
    if x.ndim == 2:
        assert "x.reshape(n, h, w)" in str(error.value)


def test_series_for_image_backbones_give_advice(
    tmp_path: Path,
) -> None:
    import zoo
    from pipelines.errors import ConfigError
    from pipelines.stages.obtain import _require_modality

    for x, wanted in (
        (RNG.random((N, 28, 28), np.float32), r"save \(x \* 255\).round.*'uint8'"),
        (RNG.random((N, 784), np.float32), r"save x.reshape\(n, h, w\) as uint8"),
    ):
        inputs = read(saved(tmp_path, x)).inputs
        with pytest.raises(ConfigError, match=f"holds series.*{wanted}"):
            _require_modality(zoo.get_spec("tiny_image"), inputs, "npz:x")
    pixels = read(saved(tmp_path, np.zeros((N, 8, 8), np.uint8))).inputs
    with pytest.raises(ConfigError, match=r"holds images.*save x.astype\('float32'\)"):
        _require_modality(zoo.get_spec("tiny_series"), pixels, "npz:x")


def test_what_is_not_finite_gets_no_formula(tmp_path: Path) -> None:
    x = RNG.random((N, 8, 8, 3))
    x[3, 3] = np.nan
    with pytest.raises(DataError, match="finite numbers only"):
        read(saved(tmp_path, x))


def scans(folder: Path, *, highest: int) -> DatasetRef:
    for i in range(24):
        path = folder / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(i).integers(0, highest + 1, (40, 40), np.uint16)
        values[0, 0] = highest
        deep = values if i < 16 else (values >> 8).astype(np.uint8)
        Image.fromarray(deep).save(path)
    return DatasetRef("dir", str(folder))


def test_scans_of_twelve_bits_are_said_with_numbers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ref = scans(tmp_path, highest=4095)
    splits = load(ref)
    (note,) = splits.info.notes
    assert note.startswith(
        "16 of 24 images have 16 bits in each channel, and the upper 8 are used. Their"
        " largest value is 4,095 of 65,535, which leaves 16 of 256 greys. Multiply"
        " their values by 16"
    )
    assert note in caplog.messages
    card = card_of(splits, seed=0, versions={})
    assert card["notes"] == [note]
    assert note in as_markdown(card).splitlines()
    by_what = {one.problem: one for one in audit(ref).findings}
    assert by_what[note].severity == "warning"
    assert len(by_what[note].about) == 16
    # Following it helps.
    for path in tmp_path.rglob("*.png"):
        values = np.asarray(Image.open(path))
        if values.dtype == np.uint16:
            Image.fromarray(values * np.uint16(16)).save(path)
    (note,) = load(ref).info.notes
    assert note.endswith("65,520 of 65,535, which leaves 256 of 256 greys.")
    assert all(one.severity == "note" for one in audit(ref).findings)
