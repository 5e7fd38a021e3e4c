"""All there are kept the contract; the file sorts behind those that it counts."""

import pytest

import zoo


@pytest.mark.slow
def test_the_suite_saw_every_backbone(counted):
    for found, expected in counted:
        assert dict(found) == expected
    (seen, _), _ = counted
    assert seen.total() > len(zoo.list_backbones())
