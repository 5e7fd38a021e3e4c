"""A trained network becomes a backbone: for our own runs, and for tf_keras' Hub."""

import json
import os
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

import pipelines
import zoo
from pipelines.cli import main
from pipelines.config import FinetuneConfig, HeadConfig
from pipelines.errors import ConfigError
from tests.support import warm_python, wheels
from zoo import published as own
from zoo.errors import BackboneError, CorruptWeightsError, MissingWeightsError

TF_KERAS = {
    "requirement": "tf_keras==2.21.0",
    "file_name": "tf_keras-2.21.0-py3-none-any.whl",
    "sha256": "f858bf3d97f892304e7fbcf5eb0942ed91674e27204f940a85de8c93cf07fe62",
}
TF_HUB = {
    "requirement": "tensorflow-hub==0.16.1",
    "file_name": "tensorflow_hub-0.16.1-py2.py3-none-any.whl",
    "sha256": "e10c184b3d08daeafada11ffea2dd46781725b6bef01fad1f74d6634ad05311f",
}


def _series(path, count, *, rates, seed, channels=1):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(rates)
    time = np.arange(40)[:, None]
    phase = rng.uniform(0, 6, (count, 1, channels))
    waves = np.sin(np.array(rates)[labels][:, None, None] * time + phase)
    waves = 50 + 9 * waves + rng.normal(0, 3, (count, 40, channels))
    np.savez(path, x=waves.astype("float32"), y=labels)
    return f"npz:{path}"


def _validation_loss(backbone, waves, labels):
    """Of a linear model on the pooled features of the first half of the waves."""
    features = np.asarray(backbone.model(waves)).mean(axis=1)
    scaled = StandardScaler().fit_transform(features)
    half = len(waves) // 2
    linear = LogisticRegression().fit(scaled[:half], labels[:half])
    return log_loss(labels[half:], linear.predict_proba(scaled[half:]))


def _run(data, workdir, **fields):
    return pipelines.fine_tune(data, workdir=workdir, batch_size=16, **fields)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """One registry for the module; every test gets its own otherwise."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _at_home(home, monkeypatch):
    monkeypatch.setenv("ZOOTUNE_HOME", str(home))


@pytest.fixture(scope="module")
def source(home, tmp_path_factory):
    """A network trained from scratch on one source of series."""
    folder = tmp_path_factory.mktemp("source")
    data = _series(folder / "source.npz", 240, rates=(0.2, 0.5, 0.9), seed=0)
    run = _run(data, folder / "run", backbone="series_conv", strategy="scratch")
    assert run.report["test"]["accuracy"] >= 0.9
    return run


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A network for images, fine-tuned with its BatchNorm."""
    return _run(
        "builtin:digits?limit=300",
        tmp_path_factory.mktemp("images") / "run",
        backbone="tiny_image",
        strategy="scratch",
        finetune=FinetuneConfig(epochs=2),
    )


@pytest.fixture(scope="module")
def published(home, source):
    """The row of the trained network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOOTUNE_HOME", str(home))
        return pipelines.publish(source.workdir, name="my_waves")


@pytest.fixture(scope="module")
def module(home, images):
    """The SavedModel of the network for images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOOTUNE_HOME", str(home))
        command = ["publish", str(images.workdir), "--name", "my_digits"]
        assert main(command) == 0
        return own.module_folder("my_digits")


class TestSeries:
    def test_published_row_describes_trained_network(self, published):
        assert published == zoo.get_spec("my_waves")
        assert published.pretrained
        assert published.block_names == ("block1", "block2", "block3")
        assert published.input.default_length_steps == 40
        assert "my_waves" in zoo.list_backbones(modality="series", pretrained=True)

    def test_it_is_built_with_the_trained_weights(self, published, source):
        backbone = zoo.build("my_waves")
        trained = source.model.get_layer("block3_conv").kernel
        found = backbone.model.get_layer("block3_conv").kernel
        np.testing.assert_array_equal(found, trained)
        assert backbone.weights == "default"
        other = zoo.build("my_waves", weights=None).model.get_layer("block3_conv")
        assert not np.array_equal(other.kernel, trained)

    def test_run_on_published_backbone_learns_and_is_published(
        self, published, tmp_path
    ):
        data = _series(tmp_path / "few.npz", 60, rates=(0.3, 0.7), seed=1)
        # Of the last block: all of them together tell these waves apart untrained.
        head = HeadConfig(reads="last")
        run = _run(
            data, tmp_path / "run", backbone="my_waves", strategy="full", head=head
        )
        assert run.report["backbone"]["weights"] == "default"
        assert run.report["test"]["accuracy"] >= 0.8
        spec = pipelines.publish(run.workdir, name="my_second_waves")
        np.testing.assert_array_equal(
            zoo.build(spec.name).model.get_layer("block3_conv").kernel,
            run.model.get_layer("block3_conv").kernel,
        )

    def test_published_features_separate_other_waves_better_than_random(
        self, published, tmp_path
    ):
        # So close that random features do not tell them apart as well.
        _series(tmp_path / "few.npz", 60, rates=(0.3, 0.4), seed=1)
        with np.load(tmp_path / "few.npz") as few:
            waves, labels = few["x"], few["y"]
        reused, random = (
            _validation_loss(zoo.build("my_waves", weights=weights), waves, labels)
            for weights in ("default", None)
        )
        assert reused < random

    def test_series_of_two_channels_begin_with_their_mean(self, published, tmp_path):
        data = _series(tmp_path / "two.npz", 40, rates=(0.3, 0.7), seed=1, channels=2)
        few = FinetuneConfig(epochs=40)
        run = _run(data, tmp_path / "run", backbone="my_waves", finetune=few)
        assert "channels as the mean of all" in run.report["plan"]["reason"]
        assert run.report["test"]["accuracy"] >= 0.8
        trained = run.model.get_layer("channels").kernel
        # And what they learned is kept for the next run on two channels.
        two = pipelines.publish(run.workdir, name="my_two").input
        assert (two.channels, two.inner_channels) == (2, 1)
        kept = zoo.build("my_two").model.get_layer("channels").kernel
        np.testing.assert_array_equal(kept, trained)
        three = zoo.build("my_two", channels=3).model
        np.testing.assert_allclose(three.get_layer("channels").kernel, 1 / 3)
        np.testing.assert_array_equal(
            three.get_layer("block3_conv").kernel,
            run.model.get_layer("block3_conv").kernel,
        )

    def test_it_works_at_another_length(self, published):
        assert zoo.build("my_waves", input_length=25).model.input_shape == (None, 25, 1)


class TestImages:
    def test_module_gives_pooled_features_of_unit_pixels(self, module):
        pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3))
        backbone = zoo.build("my_digits")
        wanted = np.mean(backbone.model(pixels.astype("float32")), axis=(1, 2))
        loaded = tf.saved_model.load(str(module))
        found = loaded((pixels / 255).astype("float32"))
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)

    def test_the_module_is_a_backbone_too_and_trains(self, module):
        backbone = zoo.build("tfhub", handle=module)
        assert backbone.spec.trainable
        assert backbone.spec.feature_width == 32
        keras.utils.set_random_seed(0)
        logits = keras.layers.Dense(2)(keras.layers.Flatten()(backbone.model.output))
        model = keras.Model(backbone.model.input, logits)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss=loss, jit_compile=False)
        before = [v.numpy() for v in backbone.model.trainable_variables]
        pixels = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3))
        model.fit(pixels.astype("uint8"), np.arange(8) % 2, verbose=0)
        after = [v.numpy() for v in backbone.model.trainable_variables]
        assert len(before) > 10
        assert not any(map(np.array_equal, before, after))

    def test_tf_keras_trains_it_as_a_hub_layer(self, module, tmp_path):
        """In another process: tf_keras must never load a model in ours."""
        for wheel in (TF_KERAS, TF_HUB):
            wheels.unpacked(wheels.fetched(**wheel), tmp_path / "packages")
        program = """
import sys
import numpy as np
import tensorflow as tf
import tf_keras
import tensorflow_hub as hub

layer = hub.KerasLayer(sys.argv[1], trainable=True)
model = tf_keras.Sequential([
    tf_keras.layers.InputLayer((32, 32, 3)), layer, tf_keras.layers.Dense(2)
])
model.compile("adam", tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True))
images = np.random.default_rng(0).random((16, 32, 32, 3)).astype("float32")
trained = [v.numpy() for v in layer.trainable_variables]
statistics = [v.numpy() for v in layer.non_trainable_variables]
model.fit(images, np.arange(16) % 2, epochs=2, verbose=0)
moved = [not np.array_equal(a, b.numpy())
         for a, b in zip(trained, layer.trainable_variables)]
assert len(moved) > 10 and all(moved), moved
assert any(not np.array_equal(a, b.numpy())
           for a, b in zip(statistics, layer.non_trainable_variables))
"""
        ended = warm_python.run(
            [sys.executable, "-c", program, str(module)],
            env={**os.environ, "PYTHONPATH": str(tmp_path / "packages")},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr[-2000:]

    def test_the_command_says_how_to_go_on(self, module, images, capsys):
        command = ["publish", str(images.workdir), "--name", "my_other_digits"]
        assert main([*command, "--json"]) == 0
        values = json.loads(capsys.readouterr().out)
        assert values["name"] == "my_other_digits"
        assert values["module"] == str(own.module_folder("my_other_digits"))
        assert main(["info", "my_other_digits"]) == 0
        assert "my_other_digits.weights.h5" in capsys.readouterr().out


class TestRefusals:
    def test_what_is_no_finished_run(self, tmp_path):
        with pytest.raises(ConfigError, match="not the folder of a finished run"):
            pipelines.publish(tmp_path, name="nothing")

    @pytest.mark.parametrize("name", ["my_waves", "vgg16", "tfhub"])
    def test_a_name_that_is_taken(self, published, source, name):
        with pytest.raises(BackboneError, match=f"'{name}' (was|is) "):
            pipelines.publish(source.workdir, name=name)

    def test_a_name_that_cannot_be_one(self, source):
        with pytest.raises(BackboneError, match="lower-case letters"):
            pipelines.publish(source.workdir, name="My Waves")
        assert not list(own.folder().glob("*My*"))

    def test_weights_that_are_not_those_of_the_run(self, images, tmp_path):
        path = images.workdir / "checkpoints" / "backbone.weights.h5"
        content = path.read_bytes()
        try:
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
            with pytest.raises(CorruptWeightsError, match="not the file that the run"):
                pipelines.publish(images.workdir, name="flipped")
        finally:
            path.write_bytes(content)
        assert own.find("flipped") is None

    def test_published_weights_are_verified_when_they_are_used(self, images):
        pipelines.publish(images.workdir, name="to_break")
        path = own.folder() / "to_break" / "to_break.weights.h5"
        assert zoo.build("to_break").weights == "default"
        with path.open("r+b") as stream:
            stream.write(b"x")
        with pytest.raises(CorruptWeightsError, match="zoo publish RUN --name"):
            zoo.build("to_break")
        path.unlink()
        with pytest.raises(MissingWeightsError, match="zoo publish RUN"):
            zoo.build("to_break")
