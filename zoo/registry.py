"""The one table of backbones: the catalog, what users register, and what they publish.

What they publish is read from their disk whenever the table is.
"""

from __future__ import annotations

import difflib
import fnmatch

from zoo import own
from zoo.catalog import CATALOG
from zoo.errors import BackboneError, UnknownBackboneError
from zoo.spec import BackboneSpec

# Names without a row: they build what a handle names, and measure its spec.
TAKES_HANDLE = ("tfhub", "kerashub", "word_vectors")

_specs: dict[str, BackboneSpec] = {spec.name: spec for spec in CATALOG}


def list_backbones(
    pattern: str = "*",
    *,
    modality: str | None = None,
    source: str | None = None,
    pretrained: bool | None = None,
) -> list[str]:
    """Names of the backbones that match, in the order of the catalog, then your own.

    `pattern` is a shell pattern such as `efficientnet*`; `pretrained` keeps the rows
    that have (or have not) pretrained weights.
    """
    return [
        spec.name
        for spec in (*_specs.values(), *own.rows())
        if fnmatch.fnmatchcase(spec.name, pattern)
        and modality in (None, spec.modality)
        and source in (None, spec.source)
        and pretrained in (None, spec.pretrained)
    ]


def get_spec(name: str) -> BackboneSpec:
    """The row of a backbone.

    Raises:
        UnknownBackboneError: if there is none; the message suggests the nearest names.
    """
    spec = _specs.get(name) or own.find(name)
    if spec:
        return spec
    if name in TAKES_HANDLE:
        raise UnknownBackboneError(
            f"'{name}' builds what a handle names, so nothing is known about it before"
            f" it is opened: zoo.build('{name}', handle='path/of/it').spec"
        )
    known = list_backbones()
    near = difflib.get_close_matches(name, [*known, *TAKES_HANDLE], n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise UnknownBackboneError(
        f"No backbone is called '{name}'. {hint}`zoo list` shows all {len(known)}."
    )


def register(spec: BackboneSpec) -> None:
    """Adds a row to the table of this process.

    Raises:
        BackboneError: if the name is taken.
    """
    if spec.name in TAKES_HANDLE:
        raise BackboneError(
            f"'{spec.name}' is the name for modules by their handle. Choose another."
        )
    if own.find(spec.name):
        raise BackboneError(own.taken(spec.name))
    if spec.name in _specs:
        raise BackboneError(
            f"A backbone called '{spec.name}' is registered already"
            f" (source: {_specs[spec.name].source}). Choose another name."
        )
    _specs[spec.name] = spec


def unregister(name: str) -> None:
    """Takes a row out of the table of this process; the inverse of `register`."""
    if name not in _specs:
        get_spec(name)
        raise BackboneError(
            f"'{name}' was published, not registered: it lies in {own.folder() / name}."
        )
    del _specs[name]
