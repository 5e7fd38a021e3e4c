"""Labels that are probably wrong, judged by a probe of the other examples.

A linear probe on frozen features predicts every example after a fit without it. Where
it is as sure of another class as it is of that class' examples on average, the label is
suspect: confident learning, https://arxiv.org/abs/1911.00068.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from pipelines.audit.findings import Finding
from pipelines.config import from_fields
from pipelines.data.checks.content_hashes import content_hashes
from pipelines.data.grouping import count_groups, group_ids
from pipelines.data.input.batches import batches
from pipelines.data.names import listing
from pipelines.data.packed_strings import Strings
from pipelines.data.splits import Examples, Split
from pipelines.errors import ConfigError, DataError
from pipelines.features.extract import extract
from pipelines.stages.base import fit_base
from pipelines.stages.obtain import obtain

PROBLEM = "a label that is probably wrong"
_FOLDS = 5
_BATCH = 64
# Inverse strength of the L2 penalty, and steps after which the probe is good enough.
_INVERSE_PENALTY = 0.1
_MAX_STEPS = 200
_REDUCED_WIDTH = 128
_log = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True, slots=True)
class Suspect:
    """An example whose label is probably wrong, and the class that it looks like.

    `label_probability` is the probability that the probe gives to the label.
    """

    example: int
    label: str
    suggested: str
    label_probability: float


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
        DataError: if there are too few examples.
    """
    if importlib.util.find_spec("cleanlab") is None:
        raise ConfigError(
            "--labels needs the package cleanlab: pip install 'zootune[labels]'"
        )
    good = np.setdiff1d(np.arange(len(examples)), np.array(bad, np.int64))
    sound = examples.take(good)
    groups, names = _groups(sound), examples.class_names
    _fold_count(sound.labels, groups, names)  # before features are computed
    features = _features(sound, backbone, data)
    suspected = suspects(features, sound.labels, groups, class_names=names)
    if not suspected:
        return []
    about = tuple(
        f"{examples.names[good[suspect.example]]}: given {suspect.label}, looks like"
        f" {suspect.suggested}"
        for suspect in suspected
    )
    members = tuple((int(good[suspect.example]),) for suspect in suspected)
    return [Finding("warning", PROBLEM, about, members=members)]


def suspects(
    features: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    *,
    class_names: Sequence[str],
) -> list[Suspect]:
    """The examples whose labels are probably wrong, the most certain first.

    Features are `[examples, width]`, labels and groups `[examples]`. An example is
    predicted without the others of its group.

    Raises:
        DataError: if there are fewer than two classes of two independent examples.
    """
    # Importing it takes a second.
    from cleanlab.filter import find_label_issues

    folds = _fold_count(labels, groups, class_names)
    probabilities = _out_of_fold(_reduced(features), labels, groups, folds)
    # Their number follows from the confusion between the classes; the least probable
    # labels come first. On 1,797 digits, 3 % of them with a wrong label, this found
    # more of these, and less else, than the other four ways.
    ranked = find_label_issues(
        labels,
        probabilities,
        return_indices_ranked_by="self_confidence",
        filter_by="low_self_confidence",
        n_jobs=1,
    )
    return [
        Suspect(
            example=int(i),
            label=class_names[labels[i]],
            suggested=class_names[int(probabilities[i].argmax())],
            label_probability=float(probabilities[i, labels[i]]),
        )
        for i in ranked
        if probabilities[i].argmax() != labels[i]
    ]


def _groups(examples: Examples) -> np.ndarray:
    """Group ids: examples of one group or content are in one fold."""
    return group_ids(examples, Strings.of(content_hashes(examples.inputs)).codes())


def _fold_count(
    labels: np.ndarray, groups: np.ndarray, class_names: Sequence[str]
) -> int:
    counts = count_groups(labels, groups, len(class_names))
    if len(counts) < 2 or counts.min() < 2:
        few = [name for name, count in zip(class_names, counts) if count < 2]
        raise DataError(
            "--labels compares at least two classes, and each needs two examples that"
            f" are independent. There are {len(counts)}; too few examples have"
            f" {listing(map(repr, few), shown=10) or 'none of them'}."
        )
    return int(min(_FOLDS, counts.min()))


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


def _reduced(features: np.ndarray) -> np.ndarray:
    """The directions in which features differ most: a probe is ten times as fast."""
    count = min(_REDUCED_WIDTH, *features.shape)
    scaled = (features - features.mean(axis=0)) / (float(features.std()) or 1.0)
    pca = PCA(count, svd_solver="randomized", random_state=0)
    return pca.fit_transform(scaled)


def _out_of_fold(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, folds: int
) -> np.ndarray:
    """Probabilities `[examples, classes]`, each from a probe of the other folds."""
    probabilities = np.zeros((len(labels), int(labels.max()) + 1))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    for rest, held_out in splitter.split(features, labels, groups):
        probe = LogisticRegression(C=_INVERSE_PENALTY, max_iter=_MAX_STEPS)
        # The matrices are small: several threads would wait for each other.
        with warnings.catch_warnings(), threadpool_limits(limits=1):
            warnings.simplefilter("ignore", ConvergenceWarning)
            probe.fit(features[rest], labels[rest])
        predicted = probe.predict_proba(features[held_out])
        probabilities[np.ix_(held_out, probe.classes_)] = predicted
    return probabilities
