"""Folders with brackets, stars and the like in their names are meant as they stand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.cli import main
from pipelines.data.load import read
from pipelines.data.readers import sidecar
from pipelines.data.reference import DatasetRef
from pipelines.serving.loading import load_saved_model
from tests.faults import stages
from zoo.saved_model.reusable import open_model

NAMES = ["lr[0.1]", "a*b", "what?", "{a,b}", "back\\slash", "[z-a]", "plain"]
# Folders that the names match as patterns.
DECOYS = {"lr[0.1]": "lr1", "a*b": "aXb", "what?": "what!"}


class Constant(tf.Module):
    """Gives the one number that it holds."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = tf.Variable(value)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, inputs):
        return inputs * 0.0 + self.value


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_that_of_its_folder(tmp_path: Path, name: str) -> None:
    if name in DECOYS:
        tf.saved_model.save(Constant(-1.0), str(tmp_path / DECOYS[name]))
    folder = tmp_path / name
    tf.saved_model.save(Constant(7.0), str(folder))
    loaded = load_saved_model(folder)
    assert loaded(tf.zeros([2])).numpy().tolist() == [7.0, 7.0]
    opened = open_model(folder)
    assert opened.loaded.value.numpy() == 7.0


def test_all_models_are_loaded_there() -> None:
    root = Path(__file__).parents[3]
    found = {
        path.relative_to(root).as_posix()
        for part in ("pipelines", "zoo")
        for path in (root / part).rglob("*.py")
        if "saved_model.load(" in path.read_text()
    }
    # The program of the proof gets a path without any of these characters.
    assert found == {
        "pipelines/serving/loading.py",
        "pipelines/serving/parity_process.py",
        "zoo/saved_model/reusable.py",
    }


def records(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "0.tfrecord")) as writer:
        for i in range(count):
            features = {
                "text": tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[b"text %d" % i])
                ),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[i % 2])),
                "split": tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[b"train"])
                ),
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())


@pytest.mark.parametrize("name", NAMES)
def test_records_are_those_of_their_folder(tmp_path: Path, name: str) -> None:
    if name in DECOYS:
        records(tmp_path / DECOYS[name] / "train", 3)
    folder = tmp_path / name
    records(folder / "train", 10)
    location = str(folder / "train" / "*.tfrecord")
    assert len(read(DatasetRef("tfrecord", location))) == 10
    described = {"class_names": ["a", "b"], "modality": "text", "format": 1}
    described |= {"counts": {"train": {"a": 5, "b": 5}}}
    described |= {"fingerprint": "", "reference": ""}
    (folder / sidecar.NAME).write_text(json.dumps(described))
    assert read(DatasetRef("tfrecord", str(folder))).class_names == ("a", "b")


@pytest.mark.slow
def test_a_run_is_trained_resumed_exported_and_asked(tmp_path: Path) -> None:
    photos, folder = tmp_path / "photos [1]*{x}", tmp_path / "runs" / "lr[0.1]"
    for i in range(24):
        path = photos / ("[a]", "b*")[i % 2] / f"{i}[0].png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 128, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels + np.uint8(127 * (i % 2))).save(path)

    def interrupt() -> None:
        raise KeyboardInterrupt

    assert stages.train(f"dir:{photos}", folder, "calibrate", interrupt) == 130
    assert not (folder / "artifact" / "1").exists()
    assert stages.train(f"dir:{photos}", folder, "export", lambda: None) == 0
    to = tmp_path / "out[1].jsonl"
    assert (
        main(["predict", str(folder / "artifact"), str(photos), "--to", str(to)]) == 0
    )
    rows = [json.loads(line) for line in to.read_text().splitlines()]
    assert len(rows) == 24
    assert {row["label"] for row in rows} <= {"[a]", "b*"}
    assert all(row["valid"] for row in rows)
