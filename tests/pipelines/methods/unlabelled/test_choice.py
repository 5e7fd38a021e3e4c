"""Unlabelled examples are used where labels follow neighbours, and not elsewhere."""

import numpy as np
import pytest

from pipelines.methods.unlabelled.choice import Partly, choose
from tests.pipelines.methods.unlabelled.blobs import (
    CLASSES,
    clusters,
    parted_by_a_plane,
)


def _partly(features, labels, labelled, *, classes, views=1):
    own = np.concatenate(
        [np.flatnonzero(labels == label)[:labelled] for label in range(classes)]
    )
    others = np.setdiff1d(np.arange(len(labels)), own)[:300]
    return (
        Partly(
            np.tile(features[own], (views, 1)),
            labels[own],
            np.arange(len(own)),
            features[others],
            classes,
        ),
        features[others[100:]],
        labels[others[100:]],
    )


@pytest.mark.parametrize("views", [1, 2])
def test_clusters_make_a_better_head(views):
    features, own = clusters(400)
    partly, x, y = _partly(features, own, 4, classes=CLASSES, views=views)
    choice = choose(partly)
    assert choice.judged.helps
    assert choice.judged.gain > 0
    right = (choice.head.logits([x]).argmax(axis=1) == y).mean()
    assert right > choice.judged.before


def test_labels_across_neighbourhoods_are_refused():
    features, labels = parted_by_a_plane(800)
    partly, _, _ = _partly(features, labels, 100, classes=2)
    choice = choose(partly)
    assert choice.judged.gain < 0
    assert choice.head is None


def test_one_example_of_each_class_judges_nothing():
    features, own = clusters(120)
    partly, _, _ = _partly(features, own, 1, classes=CLASSES)
    choice = choose(partly)
    assert (choice.judged.examples, choice.head) == (0, None)


def test_groups_are_left_out_together():
    features, own = clusters(200)
    partly, _, _ = _partly(features, own, 6, classes=CLASSES)
    twice = Partly(
        np.repeat(partly.labelled, 2, axis=0),
        np.repeat(partly.labels, 2),
        np.repeat(partly.groups, 2),
        partly.unlabelled,
        CLASSES,
    )
    one, two = choose(partly).judged, choose(twice).judged
    assert two.examples == 2 * one.examples
    assert two.standard_error == pytest.approx(one.standard_error, rel=0.5)
