"""An inspection survives JSON, and knows if a plainer file could hold the picture."""

from __future__ import annotations

import pytest

from pipelines.data.checks.inspection import NOT_OPENED, Inspection


@pytest.mark.parametrize(
    "inspection",
    [
        Inspection(bad="empty file", whole=False),
        Inspection("", "PNG", "ab" * 32, 2**63 + 1, 40, 30, ("turned", "in CMYK")),
        Inspection(kind="PNG", content="c", deepest=4095),
    ],
    ids=["bad", "odd", "deep"],
)
def test_from_json_gives_every_field(inspection: Inspection) -> None:
    assert Inspection.from_json(inspection.to_json()) == inspection


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", "null"])
def test_from_json_other_text_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        Inspection.from_json(text)


@pytest.mark.parametrize(
    ("inspection", "expected"),
    [
        (Inspection(kind="PNG"), False),
        (Inspection(odd=("in CMYK",)), True),
        (Inspection(odd=(NOT_OPENED, "smaller than 32 px")), False),
        (Inspection(bad="unsupported: a TIFF"), True),
        (Inspection(bad="empty file", whole=False), False),
    ],
)
def test_is_to_convert(inspection: Inspection, expected: bool) -> None:
    assert inspection.is_to_convert == expected
