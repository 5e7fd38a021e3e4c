"""The classifier as a Keras model: in an artifact, or in a file of its own."""

from __future__ import annotations

import json
import shutil
import sys

import keras
import numpy as np
import pytest

import zootune
from pipelines.data.readers import builtin
from pipelines.errors import ArtifactError, ConfigError
from pipelines.formats import keras_file
from tests.support import warm_python


@pytest.fixture(scope="module")
def digits():
    """All digits, of which the run draws as the finished run of the tests does."""
    examples = builtin.read("digits")
    return examples.inputs.pixels, examples.labels


@pytest.fixture(scope="module")
def run(tmp_path_factory, digits):
    """A run on arrays with its Keras model in the artifact; like the finished run."""
    return zootune.fine_tune(
        digits,
        limit=120,
        backbone="tiny_image",
        weights="none",
        strategy="head_only",
        export={"keras": True},
        workdir=tmp_path_factory.mktemp("keras") / "run",
    )


def test_arrays_give_the_run_that_a_reference_gives(run, finished_run):
    of_reference = json.loads((finished_run / "report.json").read_text())
    assert run.report["data"]["fingerprint"] == of_reference["data"]["fingerprint"]
    assert run.report["test"] == of_reference["test"]
    variables = "variables/variables.data-00000-of-00001"
    ours = (run.artifact_dir / variables).read_bytes()
    assert ours == (finished_run / "artifact/1" / variables).read_bytes()


def test_every_place_gives_the_trained_model(run, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    wanted = run.model.predict(pixels, verbose=0)
    run.save(tmp_path / "model.keras")
    places = (run.workdir, run.artifact_dir, tmp_path / "model.keras")
    for place in places:
        model = zootune.load_model(place)
        assert np.array_equal(model.predict(pixels, verbose=0), wanted)


def test_model_trains_on_under_a_new_layer(run):
    model = zootune.load_model(run.workdir)
    longer = keras.Model(model.input, keras.layers.Dense(3)(model.output))
    longer.compile("adam", "mse")
    before = longer.layers[-1].get_weights()[0]
    longer.fit(np.zeros((4, 32, 32, 3)), np.ones((4, 3)), verbose=0)
    assert not np.array_equal(longer.layers[-1].get_weights()[0], before)


def test_same_model_is_the_same_bytes(run, tmp_path):
    for name in ("a", "b"):
        run.save(tmp_path / f"{name}.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.keras", "b.keras"]


def test_other_names_are_refused(run, tmp_path):
    with pytest.raises(ConfigError, match=r"ends with \.keras"):
        run.save(tmp_path / "model.h5")


def test_artifact_without_a_keras_model_is_refused(finished_run):
    with pytest.raises(ArtifactError, match=r"config\.export\.keras=True"):
        zootune.load_model(finished_run / "artifact")


def test_file_that_was_changed_is_refused(run, tmp_path):
    folder = shutil.copytree(run.artifact_dir, tmp_path / "1")
    with (folder / keras_file.PLACE).open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(ArtifactError, match=r"model\.keras"):
        zootune.load_model(folder)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"\x80\x04N."])
def test_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="cannot be loaded as a Keras model"):
        keras_file.load(path)


def test_report_without_an_artifact_is_refused(tmp_path):
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(ArtifactError, match="does not name an artifact"):
        keras_file.load(tmp_path)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="KerasHub needs Python 3.11")
def test_network_that_does_not_load_is_refused_early(tmp_path):
    from tests.support import tiny_presets

    with pytest.raises(ArtifactError, match="leave config.export.keras out"):
        zootune.fine_tune(
            "builtin:digits?limit=120",
            backbone="kerashub",
            handle=str(tiny_presets.save_image(tmp_path / "vit", "vit")),
            strategy="head_only",
            export={"keras": True},
            workdir=tmp_path / "run",
        )
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_file_that_answers_otherwise_is_refused(run, tmp_path, monkeypatch):
    def other(path, **options):
        return keras.models.clone_model(run.model)  # of other weights

    monkeypatch.setattr(keras_file.keras.models, "load_model", other)
    with pytest.raises(ArtifactError, match="which answers otherwise: by up to"):
        run.save(tmp_path / "model.keras")
    assert not list(tmp_path.iterdir())


def test_fresh_process_gives_what_the_artifact_gives(run, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    np.save(tmp_path / "pixels.npy", pixels)
    run.save(tmp_path / "model.keras")
    code = (
        "import keras, numpy, zootune; model = keras.models.load_model('model.keras');"
        " numpy.save('logits.npy', model.predict(numpy.load('pixels.npy'), verbose=0))"
    )
    warm_python.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    logits = np.load(tmp_path / "logits.npy")
    wanted = zootune.load(run.artifact_dir).probabilities(pixels)
    found = np.exp(run.calibration.scaling.log_probabilities(logits))
    # 1e-6 as a rule, and 1.05e-6 has been seen: two graphs in single precision.
    np.testing.assert_allclose(found, wanted, atol=5e-6)
