import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from pipelines.classes.finished import open_finished
from pipelines.classes.read import FeatureReader
from pipelines.classes.served import FeatureGraph, served_features
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import ImageArray
from pipelines.errors import ArtifactError
from pipelines.serving.predictor import load as load_artifact
from pipelines.stages.publish import trained_backbone


@pytest.fixture(scope="module")
def run(trained):
    return open_finished(trained)


@pytest.fixture(scope="module")
def some(run):
    """Five images of training and none of test."""
    splits = load(DatasetRef.parse(run.config.data))
    return {
        "train": splits.train.take(np.arange(5)),
        "test": splits.test.take(np.arange(0)),
    }


def test_served_features_are_those_of_network(trained, run, some):
    served = served_features(run, some)
    backbone = trained_backbone(trained, run.report["backbone"])
    read = FeatureReader(run, lambda: backbone).read(some["train"])
    largest = np.abs(read.features).max()
    # What is kept has the precision of float16.
    difference = np.abs(served["train"] - read.features.astype(np.float32)).max()
    assert difference < 1e-3 * largest
    assert served["test"].shape == (0, read.features.shape[1])


def test_graph_gives_what_predictor_gives(run, trained, some):
    predictor = load_artifact(trained / "artifact")
    pixels = np.stack([np.full((9, 7, 3), value, np.uint8) for value in (20, 200)])
    expected = predictor.features(list(pixels))
    with FeatureGraph(predictor.artifact.path) as graph:
        np.testing.assert_allclose(graph(ImageArray(pixels)), expected, atol=1e-5)


def test_artifact_of_other_data_is_not_asked(run, some):
    data = {**run.report["data"], "fingerprint": "0" * 64}
    other = dataclasses.replace(run, report={**run.report, "data": data})
    assert served_features(other, some) is None


def test_network_reads_where_artifact_is_damaged(run_folder, some):
    with (run_folder / "artifact" / "1" / "saved_model.pb").open("ab") as file:
        file.write(b"\0")
    assert served_features(open_finished(run_folder), some) is None


def test_image_that_cannot_be_read_is_left(run, some, tmp_path):
    """To the network, which names the file."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "png")
    path = tmp_path / "a.png"
    path.write_bytes(stream.getvalue()[:-30])
    images = dataclasses.replace(some["train"].inputs, paths=[str(path)] * 5)
    broken = dataclasses.replace(some["train"], inputs=images)
    assert served_features(run, {"train": broken}) is None


def test_graph_without_features_is_refused(tmp_path):
    with pytest.raises(ArtifactError):
        FeatureGraph(tmp_path)
