"""Linear models and trees beside a network for a table."""

import types

import numpy as np
import pytest

from pipelines.data.splits import DataInfo, Split, Splits, Table, Texts
from pipelines.stages.tables.simple_models import compare_simple
from zoo.spec import Column

COLUMNS = (Column("x"), Column("kind", ("a", "b", "c")))


def splits_of(target, *, weights=None):
    """Three splits of a table whose labels follow from it."""
    rng = np.random.default_rng(0)
    parts = []
    for name, count in (("train", 200), ("validation", 60), ("test", 60)):
        values = np.stack([rng.normal(size=count), rng.integers(0, 4, count)], axis=1)
        labels = target(values)
        values[::9, 0] = np.nan
        counts = None if weights is None else np.full(count, weights, np.float32)
        table = Table(COLUMNS, values.astype(np.float32))
        parts.append(Split(name, table, labels, weights=counts))
    return Splits(*parts, DataInfo(("no", "yes"), {}, "", ""))


def classes(values):
    return ((values[:, 0] + (values[:, 1] == 2)) > 0).astype(np.int64)


def of_network(**measures):
    report = types.SimpleNamespace(**measures)
    return report, report


@pytest.mark.parametrize("weights", [None, 2.0])
def test_network_that_knows_nothing_is_not_recommended(weights, caplog):
    reports = of_network(accuracy=0.5, loss=0.7)
    compared = compare_simple(
        splits_of(classes, weights=weights), "single_label", reports
    )
    assert compared["recommended"] in (
        "logistic_regression",
        "histogram_gradient_boosting",
    )
    assert compared["models"]["logistic_regression"]["test"] > 0.8
    assert 0 < compared["models"]["histogram_gradient_boosting"]["test_loss"] < 1
    assert "is as good as the network on this table, or better" in caplog.text


def test_network_that_is_clearly_better_is_recommended():
    rng = np.random.default_rng(1)
    noise = splits_of(lambda values: rng.integers(0, 2, len(values)))
    compared = compare_simple(noise, "single_label", of_network(accuracy=1.0, loss=0.0))
    assert compared["recommended"] == "network"


def test_numbers_are_compared_by_errors():
    data = splits_of(lambda values: values[:, :1].astype(np.float32) * 3)
    reports = of_network(mean_absolute_error=9.0, root_mean_squared_error=10.0)
    compared = compare_simple(data, "regression", reports)
    assert compared["recommended"] != "network"
    assert compared["models"]["ridge_regression"]["validation"] < 1


def test_other_data_and_labels_are_left():
    texts = np.array([b"a", b"b"], object)
    part = Split("train", Texts(texts), np.arange(2))
    other = Splits(part, part, part, DataInfo(("a", "b"), {}, "", ""))
    assert compare_simple(other, "single_label", ()) is None
    assert compare_simple(splits_of(classes), "multi_label", ()) is None
