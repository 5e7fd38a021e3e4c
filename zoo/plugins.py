"""Rows that other distributions add through the entry point group `zoo.backbones`.

    [options.entry_points]
    zoo.backbones =
        acme = acme_backbones:rows

What the entry point names is a `BackboneSpec`, or a function that gives specs, or pairs
of a spec and its network where no loader of ours builds it (and what fits it, if the
row is `fitted`). It is imported whenever
backbones are listed, so it should import neither Keras nor TensorFlow; the network may.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from zoo.errors import BackboneError
from zoo.spec import BackboneSpec

GROUP = "zoo.backbones"

# Applies a network to its prepared input, both symbolic tensors of Keras; the path
# names a verified weight file, or is `None` for random weights.
Network = Callable[[BackboneSpec, Any, Path | None], Any]


class Fit(Protocol):
    """Sets the weights of a network to statistics of training examples.

    The same examples and seed give the same bits, so that an interrupted run that
    starts again has the same network.
    """

    def __call__(self, model: Any, examples: Any, *, seed: int) -> None:
        """`model` is of the row, and `examples` an array of what it takes."""


@dataclasses.dataclass(frozen=True)
class Row:
    """A row, and the network that builds it if no loader of its source does.

    `fit` sets the weights of a row that is `fitted`.
    """

    spec: BackboneSpec
    network: Network | None = None
    fit: Fit | None = None


@dataclasses.dataclass(frozen=True)
class Plugin:
    """An entry point, the rows that it gives, or what is wrong with it."""

    name: str
    distribution: str
    rows: tuple[Row, ...] = ()
    problem: str | None = None

    def broken(self, error: Exception) -> Plugin:
        """The same plug-in without rows, for what it raised."""
        problem = f"{type(error).__name__}: {error}".rstrip(".")
        return dataclasses.replace(self, rows=(), problem=problem)

    def __str__(self) -> str:
        return (
            f"The plug-in '{self.name}' cannot be used, so its backbones are missing."
            f" {self.problem}. Update it, or: pip uninstall {self.distribution}"
        )


def find() -> Iterator[Plugin]:
    """All that are installed, in the order of their distributions' names."""
    points = [
        (point.dist.name if point.dist else point.value, point)
        for point in importlib.metadata.entry_points(group=GROUP)
    ]
    for distribution, point in sorted(points, key=lambda pair: (pair[0], pair[1].name)):
        plugin = Plugin(point.name, distribution)
        try:
            yield dataclasses.replace(plugin, rows=tuple(_rows(point.load())))
        except Exception as error:  # noqa: BLE001 - code of others may raise anything
            yield plugin.broken(error)


def _rows(value: object) -> Iterator[Row]:
    if isinstance(value, BackboneSpec):
        yield Row(value)
        return
    if not callable(value):
        raise BackboneError(
            f"Its entry point is {value!r}; expected a BackboneSpec, or a function that"
            " gives them"
        )
    rows = value()
    if not isinstance(rows, Iterable):
        raise BackboneError(f"Its function gives {rows!r}; expected a list of specs")
    for row in rows:
        yield _row(row)


def _row(value: object) -> Row:
    if isinstance(value, BackboneSpec):
        return Row(value)
    if isinstance(value, tuple) and len(value) in (2, 3):
        spec, *functions = value
        if isinstance(spec, BackboneSpec) and all(map(callable, functions)):
            return Row(spec, *functions)
    raise BackboneError(
        f"It gives {value!r}; expected a BackboneSpec, or a pair of one and its network"
        " (with its fit, if it is fitted)"
    )
