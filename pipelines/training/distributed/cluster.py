"""The machines that train together, from `TF_CONFIG`. Imports nothing heavy."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from pipelines.errors import ConfigError

VARIABLE = "TF_CONFIG"
_EXAMPLE = (
    '{"cluster": {"worker": ["first.example:2222", "second.example:2222"]},'
    ' "task": {"type": "worker", "index": 0}}'
)
_TYPES = ("chief", "worker")


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The addresses of all workers, the chief first, and which of them this one is."""

    addresses: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        """True for the worker that writes files."""
        return self.index == 0

    def name_of(self, index: int) -> str:
        """A worker in words."""
        role = "the chief" if index == 0 else f"worker {index}"
        return f"{role} ({self.addresses[index]})"


def cluster_of(text: str) -> Cluster:
    """The cluster that the value of `TF_CONFIG` describes.

    The chief is the task of type `chief`, or else the first worker.

    Raises:
        ConfigError: naming what is wrong.
    """
    values = _parsed(text)
    addresses = _addresses(values)
    task = values.get("task")
    if not isinstance(task, Mapping):
        raise _refused(f"it has no task, but the keys {sorted(values)}")
    kind, index = task.get("type"), task.get("index")
    _refuse_type(str(kind))
    own = addresses.get(str(kind), [])
    if not isinstance(index, int) or not 0 <= index < len(own):
        raise _refused(
            f"the task is {kind} {index!r}, and cluster names {len(own)} of that type,"
            " which are counted from 0"
        )
    before = len(addresses.get("chief", [])) if kind == "worker" else 0
    everyone = [*addresses.get("chief", []), *addresses.get("worker", [])]
    return Cluster(tuple(everyone), before + index)


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise _refused(f"it is not JSON ({error}): {text[:80]}") from error
    if not isinstance(values, Mapping):
        raise _refused(f"it is {text[:80]}, which is not an object")
    return values


def _addresses(values: Mapping[str, Any]) -> dict[str, list[str]]:
    cluster = values.get("cluster")
    if not isinstance(cluster, Mapping) or not cluster:
        raise _refused(f"it has no cluster, but the keys {sorted(values)}")
    for kind, hosts in cluster.items():
        _refuse_type(kind)
        is_list = isinstance(hosts, list) and hosts
        if not is_list or not all(isinstance(a, str) and ":" in a for a in hosts):
            raise _refused(
                f"cluster.{kind} is {hosts!r}, which is not a list of HOST:PORT"
            )
    everyone = [address for hosts in cluster.values() for address in hosts]
    twice = sorted({host for host in everyone if everyone.count(host) > 1})
    if twice:
        raise _refused(f"{', '.join(twice)} is named twice")
    if len(cluster.get("chief", [])) > 1:
        raise _refused(f"it names {len(cluster['chief'])} chiefs, and there is one")
    return dict(cluster)


def _refuse_type(kind: str) -> None:
    if kind not in _TYPES:
        raise _refused(
            f"it has a task of type '{kind}'. All workers compute the same steps here,"
            " without parameter server and evaluator; the types are"
            f" {' and '.join(_TYPES)}"
        )


def _refused(why: str) -> ConfigError:
    return ConfigError(
        f"{VARIABLE} cannot be used: {why}. It looks like {_EXAMPLE}. Fix it, or leave"
        " it with config.distribution='none'."
    )
