"""Record files by Apache Beam: complete, the same each time, and readable again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.cli import main
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.data.sharding.shard import shard
from pipelines.data.splits import ImageRecords, Texts
from pipelines.errors import DataError
from tests.support.tones import write_tones


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for i in range(60):
        path = folder / ("2", "10", "naïve")[i % 3] / f"{i}\n.jpg"
        path.parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 256, (8, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture(scope="module")
def written(photos: Path, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shards") / "records"
    shard(DatasetRef("dir", str(photos)), folder, shards=4)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert files
    return files


def test_what_is_read_again_is_what_was_written(photos: Path, written: Path) -> None:
    before = load(DatasetRef("dir", str(photos)))
    after = load(DatasetRef("tfrecord", str(written)))
    assert after.info.class_names == before.info.class_names == ("2", "10", "naïve")
    assert after.info.counts == before.info.counts
    assert after.info.fingerprint == before.info.fingerprint
    assert isinstance(after.train.inputs, ImageRecords)
    said = json.loads((written / "zoo_shards.json").read_text())
    assert said["fingerprint"] == before.info.fingerprint
    assert said["counts"]["test"] == {"2": 3, "10": 3, "naïve": 3}
    assert said["reference"] == f"dir:{photos}"


def test_names_and_contents_are_the_same_each_time(
    photos: Path, written: Path, tmp_path: Path
) -> None:
    shard(DatasetRef("dir", str(photos)), tmp_path / "again", shards=4)
    first, second = contents(written), contents(tmp_path / "again")
    assert first == second
    assert "train/train-00003-of-00004.tfrecord" in first
    assert len(first) == 13
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_arrays_and_texts(tmp_path: Path) -> None:
    shard(DatasetRef("builtin", "digits", limit=60), tmp_path / "digits", shards=2)
    digits = load(DatasetRef("builtin", "digits", limit=60))
    again = load(DatasetRef("tfrecord", str(tmp_path / "digits")))
    assert again.info.counts == digits.info.counts
    table = tmp_path / "texts.csv"
    rows = "".join(f"text {i},{'ab'[i % 2]}\n" for i in range(20))
    table.write_text(f"text,label\n{rows}")
    shard(DatasetRef("csv", str(table)), tmp_path / "texts", shards=100)
    texts = load(DatasetRef("tfrecord", str(tmp_path / "texts")))
    assert isinstance(texts.test.inputs, Texts)
    assert (
        texts.info.fingerprint == load(DatasetRef("csv", str(table))).info.fingerprint
    )
    assert len(list((tmp_path / "texts" / "test").iterdir())) == len(texts.test)


def test_sounds_are_refused_by_name(tmp_path: Path) -> None:
    sounds = DatasetRef("dir", str(write_tones(tmp_path / "sounds", each=4)))
    with pytest.raises(DataError, match="holds sounds, which stay files"):
        shard(sounds, tmp_path / "new", shards=1)
    assert not (tmp_path / "new").exists()


def test_refusals_write_nothing(photos: Path, written: Path, tmp_path: Path) -> None:
    ref = DatasetRef("dir", str(photos))
    before = contents(written)
    with pytest.raises(DataError, match="records is there already"):
        shard(ref, written, shards=4)
    assert contents(written) == before
    with pytest.raises(DataError, match="--shards is 0"):
        shard(ref, tmp_path / "new", shards=0)
    np.savez(tmp_path / "x.npz", x=np.random.rand(20, 3), y=np.arange(20) % 2)
    with pytest.raises(DataError, match="holds series; 'npz:' keeps those"):
        shard(DatasetRef("npz", str(tmp_path / "x.npz")), tmp_path / "new", shards=1)
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


def test_a_run_that_fails_leaves_nothing(photos: Path, tmp_path: Path) -> None:
    ref = DatasetRef("dir", str(photos))
    with pytest.raises(Exception, match="NoSuchRunner"):
        shard(ref, tmp_path / "new", shards=1, runner="NoSuchRunner")
    assert list(tmp_path.iterdir()) == []


def test_the_command(photos: Path, tmp_path: Path, capsys) -> None:
    command = ["shard", f"dir:{photos}", "--to", str(tmp_path / "out"), "--json"]
    assert main([*command, "--shards=2", "--option=direct_num_workers=1"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["class_names"] == ["2", "10", "naïve"]
    assert len(list((tmp_path / "out").glob("*/*.tfrecord"))) == 6
    assert main(command) == 3
    assert "is there already" in capsys.readouterr().err
