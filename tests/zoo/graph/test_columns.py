"""The first layer of networks for tables: scales, gaps, categories, and moving them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.graph.columns import ColumnSums, codes_of, copy_columns, fit_scales
from zoo.spec import Column

NAN = np.nan
COLUMNS = (("age", None), ("job", ("cook", "pilot", "nurse")))
ROWS = np.array(
    [[20, 1], [30, 1], [40, 2], [50, 2], [NAN, 3], [60, NAN], [30, NAN]], np.float32
)


def made(columns=COLUMNS, units=4):
    layer = ColumnSums(units, columns, autocast=False, name="columns")
    layer(np.zeros((1, len(columns)), np.float32))
    return layer


@pytest.fixture
def layer():
    """Fitted to `ROWS`, with weights that are not zero."""
    fitted = made()
    fit_scales(fitted, ROWS)
    rng = np.random.default_rng(0)
    for weight in fitted.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    return fitted


def test_scales_are_medians_and_quartiles(layer):
    assert float(layer.centre[0]) == 35.0
    assert float(layer.scale[0]) == pytest.approx(17.5 / 1.349)


def test_outliers_change_no_scale():
    far = ROWS.copy()
    far[5, 0] = 1e30
    fitted = made()
    fit_scales(fitted, far)
    assert float(fitted.scale[0]) < 20
    outputs = keras.ops.convert_to_numpy(fitted(far))
    assert np.isfinite(outputs).all()
    assert np.abs(outputs).max() < 50


def test_missing_number_counts_as_the_median(layer):
    layer.of_missing.assign(np.zeros(layer.of_missing.shape))
    missing, median = layer(np.array([[NAN, 1], [35, 1]], np.float32))
    np.testing.assert_allclose(missing, median, atol=1e-6)


def test_rare_and_new_categories_are_unknown(layer):
    rare, new, beyond = layer(np.array([[35, 3], [35, 0], [35, 9]], np.float32))
    np.testing.assert_array_equal(rare, new)
    np.testing.assert_array_equal(new, beyond)
    assert not np.array_equal(layer(np.array([[35, 1]], np.float32))[0], new)


def test_unknown_category_adds_nothing_at_first():
    fitted = made()
    fit_scales(fitted, ROWS)
    np.testing.assert_array_equal(fitted(np.array([[35, 0]], np.float32)), [[0] * 4])


def test_fitting_again_keeps_scales(layer):
    before = [np.array(weight) for weight in layer.weights]
    fit_scales(layer, ROWS * 3)
    assert float(layer.scale[0]) == pytest.approx(before_scale(before, layer))


def before_scale(values, layer):
    return values[[w is layer.scale for w in layer.weights].index(True)][0]


def test_copy_in_other_columns_gives_the_same(layer):
    columns = (
        ("colour", ("red",)),
        ("job", ("astronaut", "cook", "nurse", "pilot")),
        ("wage", None),
        ("age", None),
    )
    place = {0: 0, 1: 2, 2: 4, 3: 3}
    jobs = [NAN if np.isnan(x) else place[int(x)] for x in ROWS[:, 1]]
    other = np.stack([np.ones(7), jobs, np.arange(7) * 1e3, ROWS[:, 0]], axis=1).astype(
        np.float32
    )
    target = made(columns)
    copy_columns(layer, target)
    np.testing.assert_allclose(target(other), layer(ROWS), atol=1e-6)
    fit_scales(target, other)
    np.testing.assert_allclose(target(other), layer(ROWS), atol=1e-6)


def test_column_that_is_gone_counts_as_missing(layer):
    target = made((("job", COLUMNS[1][1]),))
    copy_columns(layer, target)
    gone = ROWS.copy()
    gone[:, 0] = NAN
    np.testing.assert_allclose(target(ROWS[:, 1:]), layer(gone), atol=1e-6)


def test_layer_is_made_again_by_its_config(layer):
    again = ColumnSums.from_config(layer.get_config())
    assert again.columns == (Column("age"), Column(*COLUMNS[1]))


def test_categories_are_looked_up_in_the_graph():
    cells = tf.constant([" pilot ", "cook", "baker", "", "N/A", "Pilot"])
    found = codes_of(cells, ("cook", "pilot"))
    np.testing.assert_array_equal(found, [2, 1, 0, NAN, NAN, 0])


def test_ten_thousand_categories_are_looked_up():
    names = [f"käse {i}" for i in range(10_000)]
    found = codes_of(tf.constant(names), names)
    np.testing.assert_array_equal(found, np.arange(1, 10_001))
