"""Presets of KerasHub as backbones: what goes in, what comes out, what is refused."""

import shutil
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from pipelines.training.freezing import set_trainable
from zoo.errors import BackboneError, DownloadError, OfflineError, WeightsError
from zoo.graph.blocks import layers_inside
from zoo.spec import InputSize
from zoo.weights import kerashub_presets

if sys.version_info < (3, 11):
    pytest.skip("KerasHub needs Python 3.11", allow_module_level=True)

import keras_hub

from tests.support import tiny_presets
from tests.support.tiny_presets import IMAGES, OFFSET, SCALE, SIZE, TEXTS

TEXT = ["an anchor and", "", "Salt zz oven! and a and a rope and seed an an an an an"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A preset of each kind, written when it is first asked for."""
    root, made = tmp_path_factory.mktemp("presets"), {}

    def folder(kind):
        if kind not in made:
            save = tiny_presets.save_image if kind in IMAGES else tiny_presets.save_text
            made[kind] = save(root / kind, kind)
        return made[kind]

    return folder


def _pixels(size=SIZE, count=2):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), "uint8")


def _alone(folder):
    return keras_hub.models.Backbone.from_preset(str(folder))


class TestImages:
    @pytest.mark.parametrize("kind", IMAGES)
    def test_raw_pixels_match_converted_ones_of_the_preset(self, folders, kind):
        folder = folders(kind)
        backbone = zoo.build("kerashub", handle=folder)
        alone = _alone(folder)
        convert = keras_hub.layers.ImageConverter.from_preset(str(folder))
        wanted = alone(convert(_pixels().astype("float32")), training=False)
        if isinstance(wanted, dict):
            wanted = wanted["stage2"]
        found = np.asarray(backbone.model(_pixels(), training=False))
        if kind in ("vit", "deit", "dinov2", "dinov3"):
            side, width = 4, 16
            places = np.asarray(wanted)[:, -side * side :]
            patches = places.reshape(-1, side, side, width)
            np.testing.assert_allclose(found[..., :width], patches, atol=1e-4)
            token = np.broadcast_to(np.asarray(wanted)[:, None, None, 0], patches.shape)
            np.testing.assert_allclose(found[..., width:], token, atol=1e-4)
        else:
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
        assert np.ptp(found) > 0.1
        assert found.shape[-1] == backbone.spec.feature_width

    @pytest.mark.parametrize(
        ("kind", "blocks"),
        [
            (
                "resnet",
                ["pool1_pool", "stack0_block0_out", "stack0_block1_out"]
                + ["stack1_block0_out", "stack1_block1_2_bn"],
            ),
            ("vgg", ["block1_pool", "block2_pool", "block3_conv1"]),
            ("vit", ["dropout", "transformer_block_1", "transformer_block_2", "ln"]),
            (
                "dinov2",
                ["dinov2_backbone_embeddings", "layers_0", "layers_1"]
                + ["dinov2_backbone_layernorm"],
            ),
            ("deit", ["deit_patching_and_embedding", "deit_encoder"]),
        ],
    )
    def test_blocks_end_where_the_network_is_narrow(self, folders, kind, blocks):
        backbone = zoo.build("kerashub", handle=folders(kind))
        assert list(backbone.spec.block_names) == blocks
        assert {len(block.frontier) for block in backbone.blocks} == {1}
        assert len(backbone.model.layers) == sum(len(b.layers) for b in backbone.blocks)

    def test_layers_that_read_positions_stay_in_one_block(self, folders):
        names = zoo.build("kerashub", handle=folders("dinov3")).spec.block_names
        assert len(names) == 2

    def test_efficientnet_has_a_block_for_each_residual_unit(self, folders):
        names = zoo.build("kerashub", handle=folders("efficientnet")).spec.block_names
        assert names[1:3] == ("block2b_add", "block3b_add")

    def test_a_network_without_fixed_size_takes_others(self, folders):
        backbone = zoo.build("kerashub", handle=folders("resnet"), input_size_px=64)
        assert backbone.model.output_shape == (None, 8, 8, 64)
        assert backbone.spec.input.default_size_px == SIZE
        with pytest.raises(BackboneError, match="smallest input is 32 px"):
            zoo.build("kerashub", handle=folders("resnet"), input_size_px=31)

    def test_positions_are_for_one_size(self, folders):
        assert zoo.build("kerashub", handle=folders("vit")).input_size_px == SIZE
        with pytest.raises(BackboneError, match="made for images of 32 px.* 64 px"):
            zoo.build("kerashub", handle=folders("vit"), input_size_px=64)

    def test_a_fixed_size_without_positions_is_no_limit(self, tmp_path):
        made = keras_hub.models.VGGBackbone([1, 1], [4, 8], image_shape=(48, 48, 3))
        made.save_to_preset(str(tmp_path))
        tiny_presets.hub_converter(made)().save_to_preset(str(tmp_path))
        assert zoo.build("kerashub", handle=tmp_path).input_size_px == 48
        other = zoo.build("kerashub", handle=tmp_path, input_size_px=64)
        assert other.model.output_shape == (None, 16, 16, 8)
        np.testing.assert_array_equal(
            other.model.get_layer("block1_conv1").kernel,
            made.get_layer("block1_conv1").kernel,
        )

    @pytest.mark.parametrize(
        ("scale", "offset"),
        [(SCALE, OFFSET), (1 / 127.5, -1.0), (1 / 255, None), (None, None)],
    )
    def test_the_converter_becomes_the_pixel_convention(self, tmp_path, scale, offset):
        folder = tiny_presets.save_image(tmp_path, "vgg", scale=scale, offset=offset)
        backbone = zoo.build("kerashub", handle=folder)
        convert = keras_hub.layers.ImageConverter.from_preset(str(folder))
        layer = backbone.model.get_layer("pixel_normalization")
        np.testing.assert_allclose(
            layer(_pixels()), convert(_pixels().astype("float32")), atol=1e-4
        )
        assert layer.mean == backbone.spec.input.pixels.mean

    def test_a_converter_that_mixes_channels_is_refused(self, folders, monkeypatch):
        kind = keras_hub.layers.ImageConverter
        monkeypatch.setattr(
            kind, "call", lambda self, x: keras.ops.mean(x, axis=-1, keepdims=True) + x
        )
        with pytest.raises(BackboneError, match="more to a pixel than to scale"):
            zoo.build("kerashub", handle=folders("vgg"))

    def test_a_preset_without_its_converter_is_refused(self, folders, tmp_path):
        folder = shutil.copytree(folders("vgg"), tmp_path / "vgg")
        (folder / "image_converter.json").unlink()
        with pytest.raises(BackboneError, match="image_converter.json"):
            zoo.build("kerashub", handle=folder)

    def test_statistics_inside_of_layers_are_frozen_with_them(self, folders):
        """Those of HGNetV2 lie two layers deep."""
        backbone = zoo.build("kerashub", handle=folders("hgnetv2"))
        norms = [
            inner
            for layer in backbone.model.layers
            for inner in layers_inside(layer)
            if isinstance(inner, keras.layers.BatchNormalization)
        ]
        assert len(norms) > 4
        assert not any(norm in backbone.model.layers for norm in norms)
        everything = backbone.spec.block_names
        for batchnorm, trains in (("trained", True), ("frozen", False)):
            set_trainable(backbone.blocks, everything, batchnorm=batchnorm)
            assert {norm.trainable for norm in norms} == {trains}
            assert backbone.model.trainable_variables

    def test_half_precision_computes_in_it(self, folders):
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            backbone = zoo.build("kerashub", handle=folders("resnet"))
            assert backbone.model.output.dtype == "bfloat16"
            assert backbone.model.layers[-1].dtype_policy.name == "mixed_bfloat16"
        finally:
            keras.config.set_dtype_policy("float32")
        assert zoo.build("kerashub", handle=folders("resnet")).model.output.dtype == (
            "float32"
        )


class TestTexts:
    @pytest.mark.parametrize("kind", ["bert", "roberta", "electra", "gpt2"])
    def test_strings_give_what_the_preset_gives_and_zeros(self, folders, kind):
        folder = folders(kind)
        backbone = zoo.build("kerashub", handle=folder, input_length=10)
        found = np.asarray(backbone.model(tf.constant(TEXT), training=False))
        ids = backbone.model.get_layer("tokenizer")(tf.constant(TEXT))
        is_token = np.asarray(ids["padding_mask"], bool)
        wanted = _alone(folder)({**ids}, training=False)
        wanted = wanted["sequence_output"] if isinstance(wanted, dict) else wanted
        wanted = np.where(is_token[..., None], wanted, 0)
        np.testing.assert_allclose(found, wanted, atol=1e-5)
        assert (found[~is_token] == 0).all()
        some, none, many = is_token.sum(1)
        assert none < min(some, 4) < many == 10
        assert found.shape == (3, 10, backbone.spec.feature_width)

    @pytest.mark.parametrize("kind", ["bert", "distil_bert"])
    def test_ids_are_those_of_the_preprocessor(self, folders, kind):
        folder = folders(kind)
        layer = zoo.build("kerashub", handle=folder).model.get_layer("tokenizer")
        alone = keras_hub.models.TextClassifierPreprocessor.from_preset(str(folder))
        wanted = alone(tf.constant(TEXT))
        found = layer(tf.constant(TEXT))
        assert set(found) == set(wanted)
        for name, ids in wanted.items():
            np.testing.assert_array_equal(found[name], np.asarray(ids, "int32"))

    def test_padding_changes_nothing(self, folders):
        short, long = (
            zoo.build("kerashub", handle=folders("bert"), input_length=length).model(
                tf.constant(TEXT[:1]), training=False
            )
            for length in (6, 12)
        )
        np.testing.assert_allclose(short, long[:, :6], atol=1e-5)
        assert np.ptp(short[0, :5]) > 0

    def test_blocks_are_the_layers_of_the_transformer(self, folders):
        backbone = zoo.build("kerashub", handle=folders("bert"))
        assert backbone.spec.block_names == (
            "embeddings_dropout",
            "transformer_layer_0",
            "transformer_layer_1",
        )
        assert backbone.spec.requires == ("tensorflow_text",)
        # The layer that reads the first mark only is for classifiers of pairs.
        paths = {v.path for v in backbone.model.variables}
        assert not any("pooled_dense" in path for path in paths)

    def test_layers_that_share_weights_are_one_block(self):
        from zoo.graph.boundaries import find_boundaries

        ids = keras.Input((4,), dtype="int32")
        x = keras.layers.Embedding(9, 4)(ids)
        shared = keras.layers.Dense(4)
        last = keras.layers.Dense(4, name="last")
        model = keras.Model(ids, last(shared(shared(x))))
        names = [one.block for one in find_boundaries(model, [shared])]
        assert len(names) == 3
        assert names[-1] == "last"
        assert names[0].startswith("embedding")

    def test_bad_bytes_do_not_fail_their_neighbours(self, folders):
        model = zoo.build("kerashub", handle=folders("bert")).model
        both = model(tf.constant([TEXT[0].encode(), b"\xff\xfe"]), training=False)
        one = model(tf.constant([TEXT[0]]), training=False)
        np.testing.assert_allclose(both[:1], one, atol=1e-6)

    def test_more_tokens_than_positions_are_refused(self, folders):
        with pytest.raises(BackboneError, match="25 tokens: allowed are 1 to 24"):
            zoo.build("kerashub", handle=folders("bert"), input_length=25)
        assert (
            zoo.build("kerashub", handle=folders("bert"), input_length=24).input_length
            == 24
        )

    def test_a_network_without_its_tokenizer_is_refused(self, folders, tmp_path):
        folder = shutil.copytree(folders("bert"), tmp_path / "bert")
        for name in ("tokenizer.json", "preprocessor.json"):
            (folder / name).unlink()
        with pytest.raises(BackboneError, match="tokenizer.json"):
            zoo.build("kerashub", handle=folder)


class TestRoundTrips:
    # Of ViT and DeiT, KerasHub 0.32 cannot read the `.keras` files that it writes.
    @pytest.mark.parametrize("kind", ["resnet", "bert"])
    def test_keras_file_and_weights(self, folders, tmp_path, kind):
        folder = folders(kind)
        backbone = zoo.build("kerashub", handle=folder)
        given = tf.constant(TEXT) if kind in TEXTS else _pixels()
        last = backbone.model.trainable_weights[-1]
        last.assign_add(np.random.default_rng(0).normal(size=last.shape))
        wanted = backbone.model(given, training=False)
        backbone.model.save(tmp_path / "model.keras")
        backbone.model.save_weights(tmp_path / "own.weights.h5")
        again = keras.models.load_model(
            # A tokenizer is read from the folder of the preset.
            tmp_path / "model.keras",
            safe_mode=kind != "bert",
        )
        np.testing.assert_allclose(again(given, training=False), wanted, atol=1e-5)
        other = zoo.build(
            "kerashub", handle=folder, weights=tmp_path / "own.weights.h5"
        )
        np.testing.assert_allclose(
            other.model(given, training=False), wanted, atol=1e-5
        )
        plain = zoo.build("kerashub", handle=folder).model(given, training=False)
        assert np.abs(np.asarray(plain) - np.asarray(wanted)).max() > 0.1

    @pytest.mark.parametrize("kind", ["resnet", "bert"])
    def test_the_measured_row_can_be_registered(self, folders, kind):
        import dataclasses

        first = zoo.build("kerashub", handle=folders(kind))
        row = dataclasses.replace(first.spec, name="my_preset")
        zoo.register(row)
        try:
            again = zoo.build("my_preset")
        finally:
            zoo.unregister("my_preset")
        given = tf.constant(TEXT) if kind in TEXTS else _pixels()
        np.testing.assert_allclose(
            again.model(given, training=False),
            first.model(given, training=False),
            atol=1e-5,
        )
        assert again.spec.block_names == first.spec.block_names


class TestRefused:
    def test_a_preset_that_does_not_exist(self):
        with pytest.raises(BackboneError, match="Did you mean .*bert_tiny_en_uncased"):
            kerashub_presets.find("bert_tiny_en_uncase")
        assert kerashub_presets.find("bert_tiny_en_uncased") == "bert_tiny_en_uncased"

    def test_a_folder_that_is_no_preset(self, tmp_path, folders):
        (tmp_path / "note.txt").write_text("no preset")
        with pytest.raises(
            BackboneError, match="is not a preset: .*There are note.txt"
        ):
            zoo.build("kerashub", handle=tmp_path)
        (tmp_path / "config.json").write_text("{")
        with pytest.raises(BackboneError, match="config.json cannot be read"):
            zoo.build("kerashub", handle=tmp_path)
        assert zoo.build("kerashub", handle=folders("vgg")).spec.modality == "image"

    def test_a_tokenizer_alone(self, tmp_path):
        words = tiny_presets.PIECES
        keras_hub.models.BertTokenizer(vocabulary=words).save_to_preset(str(tmp_path))
        with pytest.raises(BackboneError, match="holds a tokenizer only"):
            zoo.build("kerashub", handle=tmp_path)

    def test_a_network_for_sound(self, tmp_path):
        keras_hub.models.WhisperBackbone(
            vocabulary_size=9,
            num_layers=1,
            num_heads=1,
            hidden_dim=4,
            intermediate_dim=4,
            max_encoder_sequence_length=8,
            max_decoder_sequence_length=8,
        ).save_to_preset(str(tmp_path))
        with pytest.raises(BackboneError, match=r"WhisperBackbone\) takes .*encoder"):
            zoo.build("kerashub", handle=tmp_path)

    def test_a_network_of_two_parts(self, tmp_path):
        keras_hub.models.BartBackbone(
            vocabulary_size=9,
            num_layers=1,
            num_heads=1,
            hidden_dim=4,
            intermediate_dim=4,
            max_sequence_length=8,
        ).save_to_preset(str(tmp_path))
        with pytest.raises(BackboneError, match=r"BartBackbone\) takes encoder_tok"):
            zoo.build("kerashub", handle=tmp_path)

    def test_weights_of_another_network(self, folders, tmp_path):
        folder = shutil.copytree(folders("resnet"), tmp_path / "resnet")
        shutil.copy(folders("vgg") / "model.weights.h5", folder)
        with pytest.raises(BackboneError, match="KerasHub cannot load the preset in"):
            zoo.build("kerashub", handle=folder)

    def test_unreachable_hub_gives_advice(self):
        with pytest.raises(DownloadError, match="is not available.*path of a folder"):
            zoo.build("kerashub", handle="bert_tiny_en_uncased")

    def test_nothing_is_fetched_offline(self, monkeypatch, folders):
        monkeypatch.setenv("ZOOTUNE_OFFLINE", "1")
        for handle in ("bert_tiny_en_uncased", "hf://someone/some_preset"):
            with pytest.raises(OfflineError, match="ZOOTUNE_OFFLINE forbids it"):
                zoo.build("kerashub", handle=handle)
        assert zoo.build("kerashub", handle=folders("vgg")).spec.modality == "image"

    def test_without_kerashub_it_says_how_to_get_it(self, monkeypatch, folders):
        _hide(monkeypatch, "keras_hub")
        with pytest.raises(BackboneError, match=r"pip install 'zootune\[kerashub\]'"):
            zoo.build("kerashub", handle=folders("vgg"))

    def test_a_kerashub_that_is_not_whole(self, monkeypatch, folders):
        monkeypatch.setitem(sys.modules, "keras_hub", None)
        monkeypatch.setattr(
            kerashub_presets.importlib.util, "find_spec", lambda _: True
        )
        with pytest.raises(BackboneError, match="not all that it needs"):
            zoo.build("kerashub", handle=folders("vgg"))

    def test_without_text_ops_only_images_work(self, monkeypatch, folders):
        monkeypatch.setitem(sys.modules, "tensorflow_text", None)
        with pytest.raises(BackboneError, match="pip install --no-deps 'tensorflow-te"):
            zoo.build("kerashub", handle=folders("bert"))
        assert zoo.build("kerashub", handle=folders("vgg")).spec.requires == ()

    def test_random_weights(self, folders):
        with pytest.raises(WeightsError, match="cannot start from random weights"):
            zoo.build("kerashub", handle=folders("vgg"), weights=None)

    def test_no_handle(self):
        with pytest.raises(BackboneError, match="'kerashub' builds what a handle"):
            zoo.build("kerashub")

    @pytest.mark.parametrize("size", [InputSize(length=8), InputSize(channels=1)])
    def test_sizes_of_other_modalities(self, folders, size):
        with pytest.raises(BackboneError, match="takes images, which has none"):
            zoo.build(
                "kerashub",
                handle=folders("vgg"),
                input_length=size.length,
                channels=size.channels,
            )


def _hide(monkeypatch, module):
    real = kerashub_presets.importlib.util.find_spec
    monkeypatch.setattr(
        kerashub_presets.importlib.util,
        "find_spec",
        lambda name, *rest: None if name == module else real(name, *rest),
    )
