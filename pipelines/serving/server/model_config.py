"""Which models are served, and which of their versions: plain data and pure rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal


@dataclasses.dataclass(frozen=True)
class VersionPolicy:
    """The newest `count` versions, all of them, or the `versions` that are named."""

    kind: Literal["latest", "all", "specific"] = "latest"
    count: int = 1
    versions: frozenset[int] = frozenset()


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """One model: its versions are the numbered folders of `base_path`."""

    name: str
    base_path: Path
    policy: VersionPolicy = VersionPolicy()
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)


def wanted(
    policy: VersionPolicy, found: Collection[int], broken: Collection[int] = ()
) -> list[int]:
    """The versions that should be served, the newest first.

    `found` are those on disk. Of `latest`, versions that are `broken` do not count, so
    that the one before takes their place, also after a restart.
    """
    newest_first = sorted(found, reverse=True)
    if policy.kind == "all":
        return newest_first
    if policy.kind == "specific":
        return [version for version in newest_first if version in policy.versions]
    return [version for version in newest_first if version not in broken][
        : policy.count
    ]


def to_unload(
    loaded: Collection[int],
    aspired: Collection[int],
    labelled: Collection[int],
) -> list[int]:
    """The loaded versions that may go.

    The last good one stays until another is there, and one with a label stays.
    """
    if not set(loaded) & set(aspired):
        return []
    return sorted(set(loaded) - set(aspired) - set(labelled))
