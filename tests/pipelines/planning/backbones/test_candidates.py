"""Backbones are sorted by where their weights are, and unknown ones are refused."""

from __future__ import annotations

import pytest

from pipelines.planning.backbones.candidates import candidates, listed, require_match
from zoo.errors import MissingWeightsError, UnknownBackboneError


def test_unpublished_backbones_are_not_compared() -> None:
    with pytest.raises(MissingWeightsError, match="Nobody publishes weights"):
        candidates("tiny_image", modality="image")


def test_installed_weights_are_at_hand() -> None:
    found = candidates("efficientnet_lite*", modality="image")
    assert "efficientnet_lite0" in found.at_hand
    assert not set(found.at_hand) & {*found.missing, *found.unpublished}


def test_other_modality_is_named() -> None:
    with pytest.raises(UnknownBackboneError, match="take images, and the data hold"):
        candidates("efficientnet_lite*", modality="text")


def test_unknown_name_gets_the_nearest() -> None:
    require_match("resnet50")
    with pytest.raises(UnknownBackboneError, match="Did you mean resnet50"):
        require_match("resnet5O")


def test_listed_counts_the_others() -> None:
    assert listed(("a", "b")) == "a, b"
    assert listed(tuple("abcdefg")) == "a, b, c, d, e, ... (2 more)"


def test_what_is_fitted_needs_no_weights() -> None:
    known = candidates("series_*", modality="series")
    assert known.at_hand == ("series_minirocket",)
    assert "series_conv" in known.unpublished
