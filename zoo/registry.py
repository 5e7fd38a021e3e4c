"""The one table of backbones: the catalog, plug-ins, what users register and publish.

What they publish is read from their disk whenever the table is, and plug-ins are
imported when it is first read.
"""

from __future__ import annotations

import difflib
import fnmatch
import sys
from collections.abc import Sequence

from zoo import plugins, published
from zoo.catalog import CATALOG
from zoo.errors import BackboneError, UnknownBackboneError
from zoo.plugins import Fit, Network, Plugin, Row
from zoo.spec import BackboneSpec

# Names without a row: they build what a handle names, and measure its spec.
TAKES_HANDLE = ("tfhub", "kerashub", "word_vectors")
# The backbone for data of a modality where nobody names another one.
DEFAULTS = {
    "image": "efficientnet_lite0",
    "text": "minilm_l6",
    "series": "series_minirocket",
    "sound": "sound_minirocket",
    "table": "table_dense",
}

_specs: dict[str, BackboneSpec] = {spec.name: spec for spec in CATALOG}
# What builds the rows of a source that has no loader here, and what fits them.
_networks: dict[str, Network] = {}
_fits: dict[str, Fit] = {}
_LOADED_HERE = frozenset({*(spec.source for spec in CATALOG), *TAKES_HANDLE})
# `None` until the table is first read.
_broken_plugins: list[Plugin] | None = None


def list_backbones(
    pattern: str = "*",
    *,
    exclude: Sequence[str] = (),
    modality: str | None = None,
    source: str | None = None,
    pretrained: bool | None = None,
) -> list[str]:
    """Names of the backbones that match, in the order of the catalog, then your own.

    `pattern` is a shell pattern such as `efficientnet*`, and `exclude` has patterns of
    what to leave out; `pretrained` keeps the rows that have (or have not) pretrained
    weights.

    >>> list_backbones("vgg*", exclude=("*16",))
    ['vgg19']

    Raises:
        BackboneError: if `exclude` is a string, which would be read by its letters.
    """
    if isinstance(exclude, str):
        raise BackboneError(
            f"exclude is the string '{exclude}'; expected a tuple of patterns:"
            f" exclude=('{exclude}',)"
        )
    return [
        spec.name
        for spec in (*_table().values(), *published.rows())
        if fnmatch.fnmatchcase(spec.name, pattern)
        and not any(fnmatch.fnmatchcase(spec.name, glob) for glob in exclude)
        and modality in (None, spec.modality)
        and source in (None, spec.source)
        and pretrained in (None, spec.pretrained)
    ]


def get_spec(name: str) -> BackboneSpec:
    """The row of a backbone.

    >>> spec = get_spec("efficientnet_lite0")
    >>> spec.feature_width, spec.modality, spec.pretrained
    (1280, 'image', True)

    Raises:
        UnknownBackboneError: if it does not exist; suggests the nearest names.
    """
    spec = _table().get(name) or published.find(name)
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
    broken = "".join(f" {plugin}" for plugin in _broken_plugins or ())
    raise UnknownBackboneError(
        f"No backbone is called '{name}'. {hint}`zoo list` shows all {len(known)}."
        f"{broken}"
    )


def get_network(spec: BackboneSpec) -> Network:
    """The function that builds a row of a source without a loader here.

    Raises:
        BackboneError: if nothing does.
    """
    _table()
    if spec.source not in _networks:
        raise BackboneError(_without_loader(spec))
    return _networks[spec.source]


def get_fit(spec: BackboneSpec) -> Fit:
    """The function that fits a row of a source without a loader here.

    Raises:
        BackboneError: if nothing does.
    """
    _table()
    if spec.source not in _fits:
        raise BackboneError(_without_fit(spec))
    return _fits[spec.source]


def register(
    spec: BackboneSpec, *, network: Network | None = None, fit: Fit | None = None
) -> None:
    """Adds a row to the table of this process.

    A row of one of our sources is built by its loader. Another source needs a
    `network`, once: `network(spec, inputs, weights_file)` applies it, without its
    classifier, to a symbolic tensor and gives the features. `inputs` are pixels in the
    row's own convention, ids, or series, and `weights_file` is the verified file, or
    `None` for random weights. A row that is `fitted` needs a `fit` too, once for its
    source: `fit(model, examples, seed=...)` sets the weights.

    >>> import dataclasses
    >>> register(dataclasses.replace(get_spec("tiny_image"), name="my_image"))
    >>> list_backbones("my_*")
    ['my_image']
    >>> unregister("my_image")

    Raises:
        BackboneError: if the name is taken, if nothing builds a row of this source, or
            if something else does.
    """
    _table()
    if published.find(spec.name):
        raise BackboneError(published.taken(spec.name))
    _add(Row(spec, network, fit))


def unregister(name: str) -> None:
    """Takes a row out of the table of this process; the inverse of `register`."""
    if name not in _table():
        get_spec(name)
        raise BackboneError(
            f"'{name}' was published, not registered: it lies in"
            f" {published.folder() / name}."
        )
    del _specs[name]


def _table() -> dict[str, BackboneSpec]:
    """The rows but the user's own, with those of plug-ins."""
    global _broken_plugins
    if _broken_plugins is None:
        _broken_plugins = []
        for plugin in plugins.find():
            _add_plugin(plugin, _broken_plugins)
    return _specs


def _add_plugin(plugin: Plugin, broken: list[Plugin]) -> None:
    """Adds all rows of a plug-in, or none: half of one would hide that it is broken."""
    added = []
    try:
        for row in plugin.rows:
            _add(row)
            added.append(row.spec.name)
    except BackboneError as error:
        for name in added:
            del _specs[name]
        plugin = plugin.broken(error)
    if plugin.problem:
        broken.append(plugin)
        print(f"zoo: {plugin}", file=sys.stderr)


def _add(row: Row) -> None:
    spec, network = row.spec, row.network
    if spec.name in TAKES_HANDLE:
        raise BackboneError(
            f"'{spec.name}' is the name for modules by their handle. Choose another."
        )
    if spec.name in _specs:
        raise BackboneError(
            f"A backbone called '{spec.name}' is registered already"
            f" (source: {_specs[spec.name].source}). Choose another name."
        )
    if network is None:
        if spec.source not in _LOADED_HERE | _networks.keys():
            raise BackboneError(_without_loader(spec))
    elif spec.source in _LOADED_HERE:
        raise BackboneError(
            f"The row '{spec.name}' brings a network, but rows of '{spec.source}' are"
            " built by our own loader. Name another source."
        )
    else:
        if spec.fitted and row.fit is None and spec.source not in _fits:
            raise BackboneError(_without_fit(spec))
        _networks[spec.source] = network
        if row.fit is not None:
            _fits[spec.source] = row.fit
    _specs[spec.name] = spec


def _without_fit(spec: BackboneSpec) -> str:
    return (
        f"The row '{spec.name}' is fitted to training data, and nothing fits the source"
        f" '{spec.source}'. Give its function: zoo.register(spec, network=...,"
        " fit=...)"
    )


def _without_loader(spec: BackboneSpec) -> str:
    return (
        f"Nothing builds the source '{spec.source}' of the row '{spec.name}'. Give its"
        " network: zoo.register(spec, network=...), or install what does; sources with"
        f" a loader are {', '.join(sorted(_LOADED_HERE | _networks.keys()))}."
    )
