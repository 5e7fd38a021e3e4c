import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf, ledoit_wolf_shrinkage
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from pipelines.methods.few_shot.heads import (
    HEADS,
    centroid,
    class_means,
    lda,
    logistic,
    shrinkage,
)


@pytest.mark.parametrize("name", HEADS)
def test_clusters_are_told_apart(name, clusters):
    rows, labels = clusters
    few = np.arange(60) % 12 < 3
    answers = HEADS[name](rows[few], labels[few]).scores(rows[~few]).argmax(axis=1)
    assert (answers == labels[~few]).mean() > 0.8


def test_centroid_is_that_of_scikit_learn(clusters):
    rows, labels = clusters
    expected = NearestCentroid().fit(rows, labels).predict(rows)
    answers = centroid(rows, labels).scores(rows).argmax(axis=1)
    assert (answers == expected).all()


@pytest.mark.parametrize("count", [10, 60])
def test_lda_inverts_the_shrunk_covariance(clusters, count):
    """By rows and by features, whichever are fewer."""
    rows, labels = (part[:: 60 // count] for part in clusters)
    means = class_means(rows, labels)
    residuals = rows - means[labels]
    covariance, share = ledoit_wolf(residuals, assume_centered=True)
    assert shrinkage(residuals) == pytest.approx(share)
    directions = np.linalg.solve(covariance, means.T)
    expected = rows @ directions - (directions * means.T).sum(axis=0) / 2
    spread = np.square(residuals).sum() / residuals.size
    scores = lda(rows, labels).scores(rows)
    np.testing.assert_allclose(scores, expected * spread, rtol=1e-6, atol=1e-9)


def test_shrinkage_of_wide_rows_is_scikit_learns():
    residuals = np.random.default_rng(1).normal(size=(7, 300))
    expected = ledoit_wolf_shrinkage(residuals, assume_centered=True)
    assert shrinkage(residuals) == pytest.approx(expected)


def test_lda_of_single_examples_is_the_centroid(clusters):
    rows, labels = (part[::12] for part in clusters)
    np.testing.assert_array_equal(
        lda(rows, labels).kernel, centroid(rows, labels).kernel
    )


def test_logistic_is_scikit_learns_for_two_classes(clusters):
    rows, labels = clusters[0][:24], clusters[1][:24]
    expected = LogisticRegression(C=10.0, max_iter=200).fit(rows, labels)
    scores = logistic(rows, labels).scores(rows)
    np.testing.assert_allclose(
        scores[:, 1] - scores[:, 0], expected.decision_function(rows), atol=3e-2
    )
