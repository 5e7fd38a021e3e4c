"""Every backbone of the registry, built once for all files of the contract.

Rows are found in the registry and told apart by what they take; what is known beyond
that stands in the tables below.
"""

import collections
import contextlib
import dataclasses
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from pipelines.runtime.precision import precision
from tests.support.tiny_modules import save_slim, save_text
from tests.zoo.contract.subjects import (
    BUILT_OF_OTHERS,
    Subject,
    build,
    checksums,
    examples,
    run,
    settle,
    smallest,
)
from zoo import published
from zoo.errors import DownloadError, MissingWeightsError
from zoo.registry import TAKES_HANDLE
from zoo.weights import files

# How many backbones of each source the suite sees. Who adds a row changes it here.
ROWS_BY_SOURCE = {
    "applications": 40,
    "efficientnet_lite": 3 + 1,
    "kerashub": 4 if sys.version_info >= (3, 11) else 0,
    "minilm": 1,
    "minirocket": 1 + 1,
    "series": 8,
    "table": 1,
    "tfhub": 19 + 2,
    "tiny": 3,
    "use_multilingual": 1,
    "word_vectors": 1,
}
# Of those, how many are not built, because nobody can have their weights offline. Small
# modules of the two kinds of TF Hub stand in for them.
NOT_HERE_BY_SOURCE = {"tfhub": 19}


@dataclasses.dataclass(frozen=True)
class Handle:
    """What `name` builds from the file or module that `save` puts into a folder."""

    name: str
    save: Callable[[Path], Path]
    options: dict[str, int]


def _save_vectors(path):
    words = ("a", "house", "two", "boats", "the", "sea", "rain", "sun", "moon")
    rows = np.random.default_rng(0).normal(size=(len(words), 4))
    lines = [f"{word} {' '.join(map(str, row))}" for word, row in zip(words, rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def _save_preset(kind):
    def save(path):
        # KerasHub takes seconds to import.
        from tests.support import tiny_presets

        if kind == "text":
            return tiny_presets.save_text(path.parent)
        name = "resnet" if kind == "image" else kind
        return tiny_presets.save_image(path.parent, name)

    return save


# KerasHub needs Python 3.11.
_KINDS = ("image", "text", "dinov2", "dinov3")
_PRESETS = _KINDS if sys.version_info >= (3, 11) else ()
HANDLES = {
    **{f"{k} preset": Handle("kerashub", _save_preset(k), {}) for k in _PRESETS},
    "image module": Handle("tfhub", lambda path: save_slim(path, size=32), {}),
    "text module": Handle("tfhub", save_text, {}),
    "word_vectors": Handle("word_vectors", _save_vectors, {"input_length": 8}),
}

# `CONTRACT=all` runs the whole contract on every row, as `make test-all` does.
_RUNS_ALL = os.environ.get("CONTRACT") == "all"

_seen: collections.Counter[str] = collections.Counter()
_not_here: collections.Counter[str] = collections.Counter()


# All but those of the person who runs the tests.
NAMES = (
    *(name for name in zoo.list_backbones() if published.find(name) is None),
    *HANDLES,
)


def _names_of_part():
    """Every n-th, so that several processes share the work: CONTRACT_PART=2/3."""
    part, parts = map(int, os.environ.get("CONTRACT_PART", "1/1").split("/"))
    return NAMES[part - 1 :: parts]


@functools.cache
def _smallest_of_each_family():
    """The row with the fewest parameters of every paper, for each source.

    A row without a paper is a family of its own.
    """
    families = collections.defaultdict(list)
    for name in set(NAMES) - set(HANDLES):
        spec = zoo.get_spec(name)
        families[spec.source, spec.paper or name].append(spec)
    return {min(f, key=lambda one: one.parameters or 0).name for f in families.values()}


def _keeps_all(param):
    """Tests marked `family` are for these."""
    return _RUNS_ALL or param in HANDLES or param in _smallest_of_each_family()


def _has_kinds_of_its_own(param):
    """Tests marked `kinds` are for these."""
    return _RUNS_ALL or param not in BUILT_OF_OTHERS


def pytest_collection_modifyitems(config, items):
    """Leaves tests marked `family` and `kinds` to the rows that they are for."""
    assert _smallest_of_each_family() >= BUILT_OF_OTHERS
    rules = {"family": _keeps_all, "kinds": _has_kinds_of_its_own}
    siblings = [
        item
        for item in items
        for marker, is_kept in rules.items()
        if item.get_closest_marker(marker)
        and not is_kept(item.callspec.params["subject"])
    ]
    left_out = set(siblings)
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


def _param(name):
    is_quick = name in HANDLES or zoo.get_spec(name).source in (
        "minirocket",
        "series",
        "table",
        "tiny",
    )
    return pytest.param(name, marks=() if is_quick else pytest.mark.slow)


@pytest.fixture(scope="session", params=[_param(name) for name in _names_of_part()])
def subject(request, tmp_path_factory):
    """One backbone at its smallest size, untrained, with all that the tests ask of it.

    Of session scope, so that pytest runs the tests of all files on it before the next.
    """
    name, source = request.param, _source(request.param)
    _seen[source] += 1
    if name in HANDLES:
        handle = HANDLES[name]
        path = handle.save(tmp_path_factory.mktemp("handle") / "1")
        make = functools.partial(build, handle.name, handle=path, **handle.options)
    else:
        make = functools.partial(build, name, **smallest(zoo.get_spec(name)))
    with pytest.MonkeyPatch.context() as patched:
        if _reads_files(name):
            store = request.getfixturevalue("text_store")
            patched.setenv("ZOOTUNE_HOME", str(store))
        patched.setenv("ZOOTUNE_OFFLINE", "1")
        # Of siblings no test needs the values of weights, which take most of the time.
        values = _no_values if not _keeps_all(name) else contextlib.nullcontext
        try:
            with values():
                backbone = make()
        except (MissingWeightsError, DownloadError) as error:
            _not_here[source] += 1
            pytest.skip(str(error))
        yield from _tested(backbone, make, keeps_all=_keeps_all(name))


def _no_values():
    """In its block weights have shapes and names, and no values."""
    return keras.StatelessScope(initialize_variables=False)


def _source(param):
    return HANDLES[param].name if param in HANDLES else zoo.get_spec(param).source


def _reads_files(param):
    """A tokenizer reads its vocabulary also where the weights are random."""
    if param in HANDLES:
        return False
    spec = zoo.get_spec(param)
    return spec.modality == "text" and bool(files.files(spec))


def _tested(backbone, make, *, keeps_all):
    if keeps_all:
        initial, inputs = checksums(backbone), examples(backbone)
        settle(backbone, inputs)
        yield Subject(backbone, make, inputs, run(backbone.model, inputs), initial)
    else:
        yield Subject(backbone, make)
    del backbone
    keras.utils.clear_session()  # which collects garbage too


@pytest.fixture
def backbone(subject):
    return subject.backbone


@pytest.fixture(scope="session")
def twin(subject):
    """The same backbone built again, under mixed precision."""
    with precision("mixed_bfloat16"):
        return subject.build()


@dataclasses.dataclass(frozen=True)
class Counts:
    """How many backbones of each source were seen, and how many of those not built."""

    seen: collections.Counter[str]
    not_here: collections.Counter[str]


@pytest.fixture
def found():
    """The counts so far, in this process."""
    return Counts(_seen, _not_here)


@pytest.fixture
def expected():
    """The counts that this process should come to."""
    left_out = set() if _PRESETS else {"kerashub"}
    assert {handle.name for handle in HANDLES.values()} | left_out == {*TAKES_HANDLE}
    assert _counted(NAMES) == Counts(
        +collections.Counter(ROWS_BY_SOURCE), collections.Counter(NOT_HERE_BY_SOURCE)
    )
    return _counted(_names_of_part())


def _counted(names):
    return Counts(
        collections.Counter(map(_source, names)),
        collections.Counter(
            source
            for name in names
            if (source := _source(name)) in NOT_HERE_BY_SOURCE and name not in HANDLES
        ),
    )


def pytest_terminal_summary(terminalreporter):
    if _seen:
        counts = ", ".join(f"{source} {n}" for source, n in sorted(_seen.items()))
        terminalreporter.write_line(f"contract: backbones by source: {counts}")
