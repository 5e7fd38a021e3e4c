"""The number of clusters is the one that both halves of the examples agree on."""

import numpy as np
import pytest

from pipelines.methods.clusters.choice import (
    MOST_ROWS,
    Candidate,
    best,
    candidates_of,
    k_means,
)


def blobs(k, *, each, apart=8.0):
    rng = np.random.default_rng(1)
    centres = apart * np.eye(k, 6)
    return np.concatenate([c + rng.standard_normal((each, 6)) for c in centres])


@pytest.mark.parametrize("k", [3, 5])
def test_blobs_are_counted(k):
    candidates = candidates_of(blobs(k, each=20), seed=0)
    assert best(candidates) == k
    worth = {each.k: each.worth for each in candidates}
    assert worth[k] > 0.9
    assert max(candidates, key=lambda each: each.silhouette).k == k


def test_noise_is_worth_nothing():
    noise = np.random.default_rng(0).standard_normal((120, 6))
    candidates = candidates_of(noise, seed=0)
    assert max(each.worth for each in candidates) < 0.3


def test_few_examples_have_few_candidates():
    assert [each.k for each in candidates_of(blobs(2, each=10), seed=0)] == [2, 3, 4]


def test_many_examples_are_sampled(monkeypatch):
    monkeypatch.setattr("pipelines.methods.clusters.choice.MOST", 2)
    assert len(candidates_of(blobs(2, each=MOST_ROWS), seed=0)) == 1


def test_equal_numbers_give_the_smaller():
    same = [Candidate(k, 0.5, 0.1, 0.4, 0.0) for k in (4, 3, 2)]
    assert best(tuple(same)) == 2


def test_k_means_is_the_same_by_seed():
    rows = blobs(3, each=10)
    first, second = (k_means(rows, 3, seed=4).labels_ for _ in range(2))
    np.testing.assert_array_equal(first, second)
