"""Cells of middle blocks lie in one grid, whatever the sides of the maps."""

import keras
import numpy as np
import pytest

import zoo
from pipelines.features.cells import CELLS, CellMap, cells_in, cells_of, grid_of


def maps(*sides):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(2, side, side, 3)).astype(np.float32) for side in sides]


def test_maps_of_other_sides_meet_in_one_grid():
    fine, same, coarse = maps(8, 4, 2)
    cells = np.asarray(CellMap(4, range(9))([fine, same, coarse]))
    cells = cells.reshape(2, 4, 4, 9)
    averages = fine.reshape(2, 4, 2, 4, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(cells[..., :3], averages, atol=1e-6)
    np.testing.assert_allclose(cells[..., 3:6], same)
    # Between the centres of two coarse cells, both count.
    np.testing.assert_allclose(cells[:, 0, 0, 6:], coarse[:, 0, 0], atol=1e-6)
    three_to_one = 0.75 * coarse[:, 0, 0] + 0.25 * coarse[:, 0, 1]
    np.testing.assert_allclose(cells[:, 0, 1, 6:], three_to_one, atol=1e-6)


@pytest.mark.parametrize(("size_px", "grid"), [(96, 12), (224, 14), (32, 4)])
def test_grids_of_networks_stay_small(size_px, grid):
    base = zoo.build("efficientnet_lite0", weights=None, input_size_px=size_px)
    cells = cells_of(base)
    assert grid_of(cells) == grid
    values, channels = cells_in({(CELLS, grid): np.zeros((1, cells.shape[-1]))})
    assert channels == 100
    assert values.shape == (1, grid**2 * 100)
    again = cells_of(base)._keras_history.operation
    assert again.get_config()["kept"] == cells._keras_history.operation.kept


def test_networks_without_maps_have_no_cells():
    base = zoo.build("series_minirocket", weights=None)
    assert cells_of(base) is None
    assert cells_in({("block", 1): np.zeros((2, 3))}) is None


def test_the_layer_survives_saving(tmp_path):
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, CellMap(4, [2, 0])([inputs]))
    model.save(tmp_path / "cells.keras")
    (pixels,) = maps(8)
    again = keras.models.load_model(tmp_path / "cells.keras")
    np.testing.assert_array_equal(again(pixels), model(pixels))
