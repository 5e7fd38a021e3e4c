"""A backbone is built with the weights that were asked for, or not at all."""

import dataclasses

import numpy as np
import pytest

import zoo
from zoo.errors import BackboneError, CorruptWeightsError, WeightsError


def _values(model):
    return [weight.value.numpy() for weight in model.weights]


def _same(left, right):
    return len(left) == len(right) > 0 and all(map(np.array_equal, left, right))


def test_size_of_another_modality_is_refused():
    with pytest.raises(BackboneError, match="input_length is 8, but tiny_image takes"):
        zoo.build("tiny_image", weights=None, input_length=8)


def test_handle_for_a_named_row_is_refused(tmp_path):
    with pytest.raises(BackboneError, match="'tiny_image' takes no handle. These do"):
        zoo.build("tiny_image", handle=tmp_path, weights=None)


def test_handle_is_needed_where_a_source_takes_one():
    with pytest.raises(BackboneError, match="'tfhub' builds what a handle"):
        zoo.build("tfhub")


class TestSavedWeights:
    @pytest.fixture
    def saved(self, tmp_path):
        backbone = zoo.build("tiny_image", weights=None)
        path = tmp_path / "backbone.weights.h5"
        backbone.model.save_weights(path)
        return backbone, path

    def test_saved_weights_come_back_bit_for_bit(self, saved):
        backbone, path = saved
        assert not _same(
            _values(zoo.build("tiny_image", weights=None).model),
            _values(backbone.model),
        )
        for name in (path, str(path)):
            again = zoo.build("tiny_image", weights=name)
            assert _same(_values(again.model), _values(backbone.model))
            assert again.weights == str(path)

    def test_saved_weights_fit_every_input_size(self, saved):
        backbone, path = saved
        again = zoo.build("tiny_image", weights=path, input_size_px=48)
        assert _same(_values(again.model), _values(backbone.model))

    @pytest.mark.filterwarnings("ignore:Skipping nested container")
    def test_weights_of_another_network_are_refused(self, tmp_path):
        path = tmp_path / "other.weights.h5"
        zoo.build("mobilenet", weights=None, input_size_px=32).model.save_weights(path)
        with pytest.raises(WeightsError, match="does not hold weights of tiny_image"):
            zoo.build("tiny_image", weights=path)
        assert zoo.build("mobilenet", weights=path, input_size_px=32)

    @pytest.mark.filterwarnings("ignore:Skipping nested container")
    def test_the_first_tensor_that_differs_is_named(self, saved):
        _, path = saved
        spec = dataclasses.replace(
            zoo.get_spec("tiny_image"), name="tiny_wide", feature_width=48
        )
        zoo.register(spec)
        try:
            with pytest.raises(
                WeightsError, match="a tensor of 'block2_conv' has"
            ) as e:
                zoo.build("tiny_wide", weights=path)
        finally:
            zoo.unregister("tiny_wide")
        assert "(3, 3, 16, 48), and (3, 3, 16, 32) in the file" in str(e.value)
        assert len(str(e.value)) < 300

    def test_a_damaged_file_is_refused(self, saved):
        _, path = saved
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(WeightsError, match="does not hold weights of tiny_image"):
            zoo.build("tiny_image", weights=path)

    def test_another_kind_of_file_is_refused(self, saved, tmp_path):
        backbone, _ = saved
        path = tmp_path / "model.keras"
        backbone.model.save(path)
        with pytest.raises(WeightsError, match=r"save_weights` wrote \('\.weights\.h5"):
            zoo.build("tiny_image", weights=path)

    def test_networks_that_keras_rescales_refuse_them(self, saved):
        _, path = saved
        with pytest.raises(WeightsError, match="rescales the input of efficientnet_b0"):
            zoo.build("efficientnet_b0", weights=path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weight_that_is_not_finite_is_named(tmp_path, value):
    path = tmp_path / "broken.weights.h5"
    model = zoo.build("tiny_image", weights=None).model
    kernel = model.layers[2].kernel
    kernel.assign(np.where(np.arange(kernel.shape[-1]) == 1, value, kernel))
    model.save_weights(path)
    with pytest.raises(CorruptWeightsError, match=f"'{kernel.path}' of tiny_image"):
        zoo.build("tiny_image", weights=path)
