"""The names of models, and the versions to serve and to unload."""

import pytest

from pipelines.errors import ConfigError
from pipelines.serving.server.models.model_config import (
    ModelConfig,
    VersionPolicy,
    to_serve,
    to_unload,
)


@pytest.mark.parametrize(
    ("policy", "found", "broken", "expected"),
    [
        (VersionPolicy(), {1, 2, 3}, {}, [3]),
        (VersionPolicy(), {1, 2, 3}, {3}, [2]),
        (VersionPolicy(), {3}, {3}, []),
        (VersionPolicy(), {}, {}, []),
        (VersionPolicy("latest", count=2), {1, 2, 3}, {}, [3, 2]),
        (VersionPolicy("latest", count=2), {1, 2, 3}, {2}, [3, 1]),
        (VersionPolicy("all"), {1, 2}, {}, [2, 1]),
        (VersionPolicy("specific", versions=frozenset({1, 9})), {1, 2}, {}, [1]),
    ],
)
def test_which_versions_are_wanted(policy, found, broken, expected):
    assert to_serve(policy, found, broken) == expected


@pytest.mark.parametrize(
    ("loaded", "aspired", "labelled", "expected"),
    [
        ({1}, {2}, {}, []),  # the last good one stays until the next is there
        ({1, 2}, {2}, {}, [1]),
        ({1, 2}, {2}, {1}, []),  # a label never dangles
        ({1, 2}, {}, {}, []),
        ({1, 2, 3}, {3}, {2}, [1]),
    ],
)
def test_which_versions_may_go(loaded, aspired, labelled, expected):
    assert to_unload(loaded, aspired, labelled) == expected


@pytest.mark.parametrize("name", ["", ".", "..", "a\nb", "a\0", "\ud800", "a" * 300])
def test_unaddressable_name_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="name"):
        ModelConfig(name, tmp_path)
