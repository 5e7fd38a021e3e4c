"""Conditions on measures: their form, and what they hold for."""

import pytest

from pipelines.config import RunConfig, checked
from pipelines.config.conditions import parse
from pipelines.errors import ConfigError


def test_parse_gives_measures_comparisons_and_bounds():
    first, second = parse("test.accuracy>=0.9, validation.per_class.a b.f1 < 1e-1")
    assert (first.measure, first.comparison, first.bound) == (
        "test.accuracy",
        ">=",
        0.9,
    )
    assert second.measure == "validation.per_class.a b.f1"
    assert first.is_met(0.9)
    assert not first.is_met(0.8999)
    assert second.is_met(0.0999)
    assert not second.is_met(0.1)
    assert parse("") == parse("  ") == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("test.accuracy", "not a measure with a bound"),
        ("test.accuracy=0.9", "not a measure with a bound"),
        (">=0.9", "not a measure with a bound"),
        ("test.accuracy>=0.9,", "'', and not a measure"),
        ("test.accuracy>=high", "the bound 'high'"),
        ("test.accuracy>=nan", "the bound 'nan'"),
        ("accuracy>=0.9", "Begin it with its split, test or validation"),
    ],
)
def test_other_forms_are_refused_with_config(text, why):
    config = RunConfig(data="dir:photos", workdir="runs/photos")
    config.export.minimum = text
    with pytest.raises(ConfigError, match=f"config.export.minimum has .*{why}"):
        checked(config)
    with pytest.raises(ConfigError, match="--minimum has "):
        parse(text, field="--minimum")
