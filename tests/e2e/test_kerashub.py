"""Presets of KerasHub go through the whole pipeline as native networks do."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import pipelines
import zoo
from pipelines.cli import main
from pipelines.config import FinetuneConfig, HeadConfig
from pipelines.errors import ArtifactError, ConfigError
from zoo.errors import BackboneError

if sys.version_info < (3, 11):
    pytest.skip("KerasHub needs Python 3.11", allow_module_level=True)

from tests.support import tiny_presets, warm_python

DIGITS = "builtin:digits?limit=200"
SENTENCES = {"sea": "an anchor and rope", "kitchen": "salt in the oven !"}


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Texts of two classes, which differ by their words."""
    rng = np.random.default_rng(0)
    names = [*SENTENCES] * 60
    words = [rng.permutation(SENTENCES[name].split()) for name in names]
    path = tmp_path_factory.mktemp("texts") / "texts.npz"
    values = [f"{' '.join(some)} {i}" for i, some in enumerate(words)]
    np.savez(path, x=values, y=names)
    return f"npz:{path}"


def _run(workdir, data, folder, **fields):
    return pipelines.fine_tune(
        data,
        backbone="kerashub",
        handle=str(folder),
        workdir=workdir,
        # So that what is published is what the head reads.
        head=HeadConfig(reads="last", grid=1),
        finetune=FinetuneConfig(epochs=2, guard=False),
        **fields,
    )


@pytest.fixture(scope="module")
def text_run(texts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    preset = tiny_presets.save_text(folder / "preset")
    return _run(folder / "run", texts, preset, strategy="full", input_length=8)


def _changes(run, phase):
    return {row["block"]: row for row in run.report["receipt"][phase]}


@pytest.fixture(scope="module")
def image_run(tmp_path_factory):
    """A network whose BatchNorm lies inside of layers, trained as a whole."""
    folder = tmp_path_factory.mktemp("image")
    preset = tiny_presets.save_image(folder / "preset", "hgnetv2")
    return _run(folder / "run", DIGITS, preset, strategy="full")


class TestImages:
    def test_full_trains_every_block_and_no_statistics(self, image_run):
        head, tuned = (_changes(image_run, name) for name in ("head", "fine_tune"))
        *names, last = tuned
        assert (len(names), last) == (3, "head")
        for name in names:
            assert head[name]["largest_change"] == 0
            assert tuned[name]["largest_change"] > 0
        assert {row["statistics_change"] for row in tuned.values()} == {0.0}
        assert image_run.report["parity"]["largest_difference"] < 1e-4
        self._refuse_difference(image_run)

    def test_manifest_has_handle_and_requires_no_module(self, image_run):
        path = image_run.artifact_dir / "zoo_artifact.json"
        manifest = json.loads(path.read_text())
        assert manifest["preprocessing"]["requires"] == []
        assert manifest["model"]["handle"] == image_run.report["backbone"]["handle"]

    @staticmethod
    def _refuse_difference(run):
        pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), "uint8")
        logits = run.model.predict(pixels, verbose=0)
        wanted = np.exp(run.calibration.scaling.log_probabilities(logits))
        found = pipelines.load(run.artifact_dir).probabilities(pixels)
        np.testing.assert_allclose(found, wanted, atol=1e-5)

    def test_it_is_published_as_one_block(self, image_run):
        row = pipelines.publish(image_run.artifact_dir.parents[1], name="my_images")
        assert row.block_names == ("module",)
        again = zoo.build("my_images")
        pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), "uint8")
        model = image_run.model
        wanted = keras.Model(model.input, model.get_layer("pooled").output)
        np.testing.assert_allclose(
            np.asarray(again.model(pixels, training=False))[:, 0, 0],
            wanted(pixels, training=False),
            atol=1e-4,
        )


class TestTexts:
    def test_it_learns_and_its_artifact_equals_it(self, text_run):
        assert text_run.report["test"]["accuracy"] >= 0.9
        assert text_run.report["parity"]["largest_difference"] <= 1e-4
        assert text_run.model.get_layer("tokenizer").length == 8
        for name, row in _changes(text_run, "head").items():
            assert (row["largest_change"] > 0) == (name == "head")
        tuned = _changes(text_run, "fine_tune")
        assert [*tuned] == [
            "embeddings_dropout",
            "transformer_layer_0",
            "transformer_layer_1",
            "head",
        ]
        assert min(row["largest_change"] for row in tuned.values()) > 0
        texts = tf.constant(["an anchor and", "Salt oven", "the !"])
        logits = text_run.model(texts, training=False).numpy()
        wanted = np.exp(text_run.calibration.scaling.log_probabilities(logits))
        found = pipelines.load(text_run.artifact_dir).probabilities(texts)
        np.testing.assert_allclose(found, wanted, atol=1e-5)

    def test_the_command_line_predicts_without_the_preset(
        self, text_run, tmp_path, capsys
    ):
        path = tmp_path / "note.txt"
        path.write_text("anchor and rope\n")
        preset = Path(text_run.report["backbone"]["handle"])
        elsewhere = preset.rename(tmp_path / "elsewhere")
        try:
            assert main(["predict", str(text_run.artifact_dir), str(path)]) == 0
        finally:
            elsewhere.rename(preset)
        assert "sea" in capsys.readouterr().out

    def test_its_manifest_says_what_a_process_must_import(self, text_run):
        manifest = json.loads((text_run.artifact_dir / "zoo_artifact.json").read_text())
        assert manifest["preprocessing"]["requires"] == ["tensorflow_text"]
        load = "import sys, tensorflow as tf; {}tf.saved_model.load(sys.argv[1])"
        bare, imported = (
            warm_python.run(
                [sys.executable, "-c", load.format(first), str(text_run.artifact_dir)],
                capture_output=True,
                text=True,
            )
            for first in ("", "import tensorflow_text; ")
        )
        assert "Op type not registered" in bare.stderr
        assert (bare.returncode, imported.returncode) == (1, 0), imported.stderr

    def test_a_missing_module_is_named_with_its_package(self, text_run, monkeypatch):
        assert pipelines.load(text_run.artifact_dir).modality == "text"
        monkeypatch.setitem(sys.modules, "tensorflow_text", None)
        with pytest.raises(ArtifactError, match="pip install --no-deps 'tensorflow-t"):
            pipelines.load(text_run.artifact_dir)

    def test_it_is_published_and_asks_for_its_ops(self, text_run, monkeypatch):
        pipelines.publish(text_run.artifact_dir.parents[1], name="my_bert")
        again = zoo.build("my_bert")
        assert again.spec.requires == ("tensorflow_text",)
        assert again.spec.modality == "text"
        given = tf.constant(["an anchor", "salt in the oven"])
        model = text_run.model
        pooled = keras.Model(model.input, model.get_layer("pooled").output)
        np.testing.assert_allclose(
            again.model(given, training=False),
            pooled(given, training=False),
            atol=1e-4,
        )
        monkeypatch.setitem(sys.modules, "tensorflow_text", None)
        with pytest.raises(BackboneError, match="has ops of tensorflow_text"):
            zoo.build("my_bert")


def test_the_config_asks_for_a_handle(tmp_path):
    with pytest.raises(ConfigError, match=r"handle=efficientnet_b0_ra_imagenet"):
        pipelines.fine_tune(
            "builtin:digits", backbone="kerashub", workdir=tmp_path / "run"
        )


def test_a_preset_for_other_data_is_refused(texts, tmp_path):
    preset = tiny_presets.save_image(tmp_path / "preset", "vgg")
    with pytest.raises(ConfigError, match="'kerashub' takes images, but .* texts"):
        _run(tmp_path / "run", texts, preset)
    assert not (tmp_path / "run").exists()
