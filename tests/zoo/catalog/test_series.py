"""Rows of networks for series have no weights and any number of channels."""

from zoo.catalog.series import FILTERS, SPECS
from zoo.registry import DEFAULTS


def test_rows_have_no_published_weights():
    assert [spec.name for spec in SPECS if spec.pretrained] == []
    assert {spec.modality for spec in SPECS} == {"series"}


def test_only_the_default_is_fitted_to_data():
    assert [spec.name for spec in SPECS if spec.is_to_be_fitted] == [DEFAULTS["series"]]


def test_convolutions_have_a_block_each():
    (conv,) = [spec for spec in SPECS if spec.handle == "conv"]
    assert len(conv.blocks) == len(FILTERS)
    assert conv.feature_width == FILTERS[-1]
