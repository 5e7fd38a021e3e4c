import dataclasses

import pytest

from pipelines.config.options import Option, option, options


@dataclasses.dataclass(slots=True)
class Inner:
    rate: float = option(0.5, low=0, high=1, help="Rate of something.")


@dataclasses.dataclass(slots=True)
class Outer:
    kind: str = option("a", choices=("a", "b"), help="Kind   of something.")
    inner: Inner = dataclasses.field(default_factory=Inner)


def test_option_is_a_field_with_its_default():
    assert (Outer().kind, Outer().inner.rate) == ("a", 0.5)
    assert Outer(kind="b").kind == "b"


def test_options_have_dotted_names_and_facts():
    assert dict(options(Outer())) == {
        "kind": Option("Kind of something.", choices=("a", "b")),
        "inner.rate": Option("Rate of something.", bounds=(0, 1)),
    }


def test_option_with_one_bound_is_refused():
    with pytest.raises(TypeError, match="both bounds or none"):
        option(1, low=0, help="Half open.")
