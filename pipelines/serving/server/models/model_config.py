"""The models to serve and the rules for their versions: plain data."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

from pipelines.errors import ConfigError

_LONGEST_NAME = 200


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

    def __post_init__(self) -> None:
        """Raises `ConfigError` for a name that cannot stand in an address.

        A slash or a colon can, quoted; a dot alone means a folder however it is quoted.
        """
        name = self.name
        if name in ("", ".", "..") or len(name) > _LONGEST_NAME or not _is_shown(name):
            raise ConfigError(
                f"A model cannot have the name {name[:_LONGEST_NAME]!r}: it stands in"
                f" addresses, and may have up to {_LONGEST_NAME} characters that can be"
                " seen, other than '.' and '..' alone."
            )


def _is_shown(name: str) -> bool:
    return all(character.isprintable() for character in name)


def to_serve(
    policy: VersionPolicy, on_disk: Collection[int], broken: Collection[int] = ()
) -> list[int]:
    """The versions that should be served, the newest first.

    With `latest`, versions that are `broken` do not count, so that the one before takes
    their place, also after a restart.
    """
    newest_first = sorted(on_disk, reverse=True)
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
