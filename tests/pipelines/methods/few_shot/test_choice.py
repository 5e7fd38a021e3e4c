import numpy as np
import pytest
from scipy.special import log_softmax

from pipelines.methods.few_shot.choice import choose
from pipelines.methods.few_shot.heads import HEADS


def test_auto_compares_all_heads(clusters):
    chosen = choose(*clusters, head="auto")
    assert set(chosen.left_out) == set(HEADS)
    assert chosen.name in chosen.reason
    assert chosen.left_out[chosen.name] >= max(chosen.left_out.values()) - 0.1


def test_left_out_accuracy_is_that_of_refits(clusters):
    rows, labels = (part[::2] for part in clusters)
    chosen = choose(rows, labels, head="lda")
    right = []
    for i in range(len(rows)):
        rest = np.arange(len(rows)) != i
        scores = HEADS["lda"](rows[rest], labels[rest]).scores(rows[i : i + 1])
        right.append(scores.argmax() == labels[i])
    assert chosen.left_out == {"lda": pytest.approx(np.mean(right))}


def test_sharpness_makes_probabilities_better(clusters):
    rows, labels = clusters
    few = np.arange(60) % 12 < 6
    chosen = choose(rows[few], labels[few], head="centroid").linear
    plain = HEADS["centroid"](rows[few], labels[few])
    truth = np.flatnonzero(~few) * 0 + np.arange((~few).sum()), labels[~few]

    def loss(linear):
        return -log_softmax(linear.scores(rows[~few]), axis=1)[truth].mean()

    assert loss(chosen) < 0.8 * loss(plain)


def test_single_examples_cannot_be_left_out(clusters):
    rows, labels = (part[::12] for part in clusters)
    chosen = choose(rows, labels, head="auto")
    assert chosen.name == "centroid"
    assert chosen.left_out == {}
    assert "one example only" in chosen.reason
