"""Changes of the classes of kept features: plain arrays in, plain arrays out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pipelines.data.names import choices, listing
from pipelines.errors import ConfigError, DataError
from pipelines.features.kept_features import KeptFeatures, KeptSplit

_SHOWN = 5


def added(
    kept: KeptFeatures, name: str, splits: Mapping[str, KeptSplit]
) -> KeptFeatures:
    """The features with those of one more class, which becomes the last one.

    Labels of `splits` do not count.

    Raises:
        ConfigError: if there is a class of this name.
        DataError: if an example of the new class has the content of one of another.
    """
    if name in kept.class_names:
        raise ConfigError(
            f"The run has a class '{name}' already. Choose another name, or train again"
            " with the new images in its folder."
        )
    _refuse_shared(kept, splits)
    label = len(kept.class_names)
    joined = {
        part: _joined(old, splits[part], label) for part, old in kept.splits.items()
    }
    return kept.with_classes((*kept.class_names, name), joined)


def removed(kept: KeptFeatures, name: str) -> KeptFeatures:
    """The features without a class and its examples.

    Raises:
        ConfigError: if it is unknown, or if fewer than two classes would be left.
    """
    label = _place(kept, name)
    if len(kept.class_names) < 3:
        raise ConfigError(
            f"Without '{name}' only one class would be left, and a classifier needs at"
            " least two. Add a class before."
        )
    names = tuple(other for other in kept.class_names if other != name)

    def without(split: KeptSplit) -> KeptSplit:
        stays = split.labels != label
        labels = split.labels - (split.labels > label)
        return _taken(dataclasses.replace(split, labels=labels), stays)

    return _changed(kept, names, without)


def merged(kept: KeptFeatures, names: Sequence[str], *, into: str) -> KeptFeatures:
    """The features with several classes as one, in the place of the first of them.

    Raises:
        ConfigError: if a class is unknown or named twice, if fewer than two are named,
            if `into` is another class, or if fewer than two classes would be left.
    """
    places = [_place(kept, name) for name in names]
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise ConfigError(
            f"--merge needs two or more different classes, as in a,b; it has"
            f" {', '.join(names)}."
        )
    if into in kept.class_names and into not in names:
        raise ConfigError(
            f"'{into}' is another class of the run. Name it in --merge too, or choose"
            " another name."
        )
    if len(kept.class_names) - len(names) < 1:
        raise ConfigError(
            "Only one class would be left, and a classifier needs at least two. Name"
            " fewer in --merge."
        )
    first = min(places)
    stays = [i for i in range(len(kept.class_names)) if i == first or i not in places]
    place_of = np.zeros(len(kept.class_names), np.int64)
    place_of[stays] = np.arange(len(stays))
    place_of[places] = place_of[first]
    new_names = tuple(into if i == first else kept.class_names[i] for i in stays)

    def relabelled(split: KeptSplit) -> KeptSplit:
        return dataclasses.replace(split, labels=place_of[split.labels])

    return _changed(kept, new_names, relabelled)


def _changed(
    kept: KeptFeatures,
    names: tuple[str, ...],
    change: Callable[[KeptSplit], KeptSplit],
) -> KeptFeatures:
    splits = {part: change(split) for part, split in kept.splits.items()}
    return kept.with_classes(names, splits)


def _place(kept: KeptFeatures, name: str) -> int:
    if name not in kept.class_names:
        raise ConfigError(
            f"The run has no class '{name}'. {choices(name, kept.class_names)}"
        )
    return kept.class_names.index(name)


def _refuse_shared(kept: KeptFeatures, splits: Mapping[str, KeptSplit]) -> None:
    new = np.concatenate([split.contents for split in splits.values()])
    for part, old in kept.splits.items():
        shared = np.flatnonzero(np.isin(old.contents, new))
        if len(shared):
            labels = np.unique(old.labels[shared])
            classes = listing((repr(kept.class_names[i]) for i in labels), shown=_SHOWN)
            raise DataError(
                f"{len(shared)} examples of the new class have the content of examples"
                f" of {classes} in {part}. One example cannot be of two classes: remove"
                " them from the new data."
            )


def _joined(old: KeptSplit, new: KeptSplit, label: int) -> KeptSplit:
    """The rows of both, view after view, with a label for all the new ones."""
    views = max(old.views, new.views)
    first_group = old.groups.max(initial=-1) + 1
    pairs = zip(np.split(old.features, views), np.split(new.features, views))
    return KeptSplit(
        features=np.concatenate([part for pair in pairs for part in pair]),
        labels=np.concatenate([old.labels, np.full(len(new.labels), label)]),
        groups=np.concatenate([old.groups, new.groups + first_group]),
        contents=np.concatenate([old.contents, new.contents]),
        names=np.concatenate([old.names, new.names]),
        rows=np.concatenate([old.rows, new.rows + len(old.labels)]),
        weights=_joined_weights(old, new),
    )


def _joined_weights(old: KeptSplit, new: KeptSplit) -> np.ndarray:
    """The weights of both; examples without count as one of weight 1."""
    pair = (old, new)
    if all(split.sample_weights is None for split in pair):
        return old.weights
    return np.concatenate(
        [
            np.ones(len(split.labels), np.float32)
            if split.sample_weights is None
            else split.sample_weights
            for split in pair
        ]
    )


def _taken(split: KeptSplit, stays: np.ndarray) -> KeptSplit:
    """The examples that stay, bool `[n]`, with their features if they had some."""
    place_of = np.cumsum(stays) - 1
    with_features = stays[split.rows]
    return KeptSplit(
        features=split.features[np.tile(with_features, split.views)],
        labels=split.labels[stays],
        groups=split.groups[stays],
        contents=split.contents[stays],
        names=split.names[stays],
        rows=place_of[split.rows[with_features]],
        weights=split.weights[stays] if len(split.weights) else split.weights,
    )
