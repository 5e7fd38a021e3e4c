"""Labels that are probably wrong, among the findings of `zoo check`."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Sequence

import numpy as np

from pipelines.audit import suspects
from pipelines.audit.findings import Finding
from pipelines.config import from_fields
from pipelines.data.checks.content_hashes import content_hashes
from pipelines.data.grouping import group_ids
from pipelines.data.input.batches import batches
from pipelines.data.packed_strings import Strings
from pipelines.data.splits import Examples, Split
from pipelines.errors import ConfigError, DataError
from pipelines.features.extract import extract
from pipelines.stages.base import fit_base
from pipelines.stages.obtain import obtain

PROBLEM = "a label that is probably wrong"
_BATCH = 64
# What a kind of labels needs, and what finds its suspects.
_WAYS = {
    "single_label": (suspects.require_classes, suspects.suspects_of_classes),
    "ordinal": (suspects.require_classes, suspects.suspects_of_classes),
    "multi_label": (suspects.require_labels, suspects.suspects_of_labels),
    "regression": (suspects.require_numbers, suspects.suspects_of_numbers),
}
_log = logging.getLogger("zootune")


def label_findings(
    examples: Examples,
    *,
    bad: Sequence[int],
    backbone: str | None,
    data: str,
) -> list[Finding]:
    """The suspects among the examples as a finding, the most certain first.

    `bad` examples cannot be read and are left out. Messages name the reference `data`.

    Raises:
        ConfigError: if cleanlab is not installed, or the backbone takes other data.
        DataError: if there are too few examples, or nothing that labels say.
    """
    if importlib.util.find_spec("cleanlab") is None:
        raise ConfigError(
            "--labels needs the package cleanlab: pip install 'zootune[labels]'"
        )
    way = _WAYS.get(examples.problem)
    if way is None:
        raise DataError(
            f"--labels judges classes, labels, grades and numbers, and {data} is read"
            f" for {examples.problem!r}. Leave --labels or --problem out."
        )
    good = np.setdiff1d(np.arange(len(examples)), np.array(bad, np.int64))
    sound = examples.take(good)
    groups, names = _groups(sound), examples.class_names
    require, find = way
    require(sound.labels, groups, names)  # before features are computed
    features = _features(sound, backbone, data)
    suspected = find(features, sound.labels, groups, class_names=names)
    if not suspected:
        return []
    about = tuple(
        f"{examples.names[good[suspect.example]]}: given {suspect.label}, looks like"
        f" {suspect.suggested}"
        for suspect in suspected
    )
    members = tuple((int(good[suspect.example]),) for suspect in suspected)
    return [Finding("warning", PROBLEM, about, members=members)]


def _groups(examples: Examples) -> np.ndarray:
    """Group ids: examples of one group or content are in one fold."""
    return group_ids(examples, Strings.of(content_hashes(examples.inputs)).codes())


def _features(examples: Examples, backbone: str | None, data: str) -> np.ndarray:
    """Feature vectors `[examples, width]` of the frozen backbone."""
    fields = {"backbone": backbone} if backbone else {}
    whole = Split("all", examples.inputs, examples.labels)
    base = obtain(from_fields({"data": data, **fields}), examples.inputs)
    # Statistics of the inputs alone, which know no label.
    base = fit_base(base, whole, seed=0)
    _log.info("features of %s for %d examples", base.spec.name, len(examples))
    read = batches(
        whole,
        input_size_px=base.input_size_px,
        batch_size=_BATCH,
    )
    (features, *_) = extract(base.model, read)
    inner = tuple(range(1, features.ndim - 1))
    return features.mean(axis=inner) if inner else features
