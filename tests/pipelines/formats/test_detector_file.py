"""The detector of an artifact is read as it was published, or refused by name."""

import shutil
import zipfile

import numpy as np
import pytest

from pipelines.errors import ArtifactError
from pipelines.formats import detector_file
from pipelines.probing.detector import fit_detector
from tests.support.detectors import autoencoder_of, publish, republish

KNOWN = fit_detector([np.random.default_rng(0).normal(size=(30, 5))]).of_method("dfm")
SERIES = np.random.default_rng(1).normal(size=(9, 16, 1)).cumsum(axis=1)


@pytest.fixture
def version(tmp_path):
    return publish(KNOWN, tmp_path / "artifact" / "1", backbone="weights")


def test_runs_bases_and_versions_give_the_same(version):
    for place in (version, version.parent, version.parent.parent):
        source = detector_file.read(place)
        assert (source.method, source.backbone) == ("dfm", "weights")
        assert (source.reads, source.grid) == (("block",), 1)
        assert len(source.digest) == 64
        np.testing.assert_array_equal(
            source.standardization.mean, KNOWN.standardization.mean
        )
        np.testing.assert_array_equal(source.layer.axes, KNOWN.kernel)


@pytest.mark.parametrize("kind", ["dense", "convolutional", "closed form"])
def test_the_same_detector_has_the_same_bytes(kind, tmp_path):
    def digest(folder):
        detector = KNOWN
        if kind != "closed form":
            detector = autoencoder_of(SERIES, f"autoencoder:{kind}:none")
        path = publish(detector, folder)
        with zipfile.ZipFile(path / detector_file.PLACE) as file:
            return file.read("config.json")

    assert digest(tmp_path / "1") == digest(tmp_path / "2")


def test_changed_bytes_are_never_loaded(version):
    path = version / detector_file.PLACE
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ArtifactError, match=r"not what was published.*detector.keras"):
        detector_file.read(version)


def test_a_file_of_something_else_is_refused(version):
    (version / detector_file.PLACE).write_bytes(b"pickled")
    republish(version)
    with pytest.raises(ArtifactError, match="cannot be loaded as a Keras model"):
        detector_file.read(version)


def test_words_that_lack_a_field_are_refused(version):
    (version / "assets.extra" / "detector.json").write_text('{"reads": []}')
    republish(version)
    with pytest.raises(ArtifactError, match="does not hold the layers"):
        detector_file.read(version)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"calibration": {"problem": "ordinal"}}, "answers ordinal, not anomalies"),
        ({}, "published by an earlier version"),
        ({"preprocessing": {"modality": "series"}}, "'dfm' of series, which is fitted"),
        ({"preprocessing": {"modality": "text"}}, "Give a run with images"),
    ],
)
def test_artifacts_without_a_detector_are_refused(version, fields, message):
    shutil.rmtree(version / "assets.extra")
    republish(version, **fields)
    with pytest.raises(ArtifactError, match=message):
        detector_file.read(version)


def test_a_folder_that_is_no_artifact_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="is not an artifact"):
        detector_file.read(tmp_path / "nothing")
