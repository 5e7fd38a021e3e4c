"""All there are kept the contract; the file sorts behind those that it counts."""

import pytest


@pytest.mark.slow
def test_the_suite_saw_every_backbone(found, expected):
    assert found == expected
    assert found.seen.total() > found.not_here.total()
