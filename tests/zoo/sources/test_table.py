"""Networks for tables, built for other columns than they were trained on."""

import dataclasses

import numpy as np
import pytest

import zoo
from zoo.builder import standardize
from zoo.errors import BackboneError
from zoo.graph.columns import columns_of
from zoo.spec import Column, TableInput, WeightsFile

OLD = (Column("age"), Column("job", ("cook", "pilot")))
NEW = (Column("wage"), Column("job", ("cook", "nurse", "pilot")), Column("age"))
ROWS = np.array([[20, 1], [40, 2], [np.nan, 1], [60, 2]], np.float32)


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """The name of a row with weights for `OLD`, and its network."""
    base = zoo.build("table_dense", weights=None, columns=OLD)
    standardize(base, ROWS)
    path = tmp_path / "people.weights.h5"
    base.model.save_weights(path)
    spec = dataclasses.replace(
        base.spec,
        name="people_of_test",
        input=TableInput(OLD),
        weights=WeightsFile(path.name, "Apache-2.0", path=str(path)),
    )
    zoo.register(spec)
    yield spec.name, base.model
    zoo.registry._specs.pop(spec.name)


def test_new_columns_change_nothing_at_first(trained):
    name, network = trained
    other = zoo.build(name, columns=NEW)
    rows = np.stack([np.arange(4), [1, 3, 1, 3], ROWS[:, 0]], axis=1)
    rows = rows.astype(np.float32)
    expected = network.predict(ROWS, verbose=0)
    for _ in range(2):
        found = other.model.predict(rows, verbose=0)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        standardize(other, rows)  # the new column has a scale then, and no weight


def test_own_columns_are_the_default(trained):
    name, network = trained
    again = zoo.build(name)
    assert columns_of(again.model) == OLD
    np.testing.assert_array_equal(again.model.predict(ROWS), network.predict(ROWS))


def test_columns_of_one_name_are_refused():
    with pytest.raises(BackboneError, match="distinct names"):
        zoo.build("table_dense", weights=None, columns=(Column("a"), Column("a")))


def test_other_sizes_are_refused():
    with pytest.raises(BackboneError, match="input_size_px is 32"):
        zoo.build("table_dense", weights=None, input_size_px=32)


def test_rows_of_another_table_are_refused():
    base = zoo.build("table_dense", weights=None, columns=OLD)
    with pytest.raises(BackboneError, match="of shape"):
        standardize(base, np.zeros((2, 5), np.float32))
