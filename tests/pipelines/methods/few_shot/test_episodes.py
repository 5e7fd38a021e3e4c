import numpy as np
import pytest

from pipelines.errors import ConfigError, DataError
from pipelines.methods.few_shot.episodes import (
    Setting,
    accuracies,
    drawn,
    interval,
)
from pipelines.methods.few_shot.heads import centroid

SMALL = Setting(ways=3, shots=2, queries=4, episodes=20)


def test_episodes_are_as_large_as_asked(clusters):
    _, labels = clusters
    episodes = list(drawn(labels, SMALL))
    assert len(episodes) == 20
    for episode in episodes:
        assert len(episode.support) == 6
        assert len(episode.query) == 12
        assert not set(episode.support) & set(episode.query)
        classes = labels[episode.support].reshape(3, 2)
        assert (classes == classes[:, :1]).all()
        assert len(set(classes[:, 0])) == 3
        assert (labels[episode.query].reshape(3, 4) == classes[:, :1]).all()
    again = list(drawn(labels, SMALL))
    assert all((a.query == b.query).all() for a, b in zip(episodes, again))


def test_accuracy_is_counted_over_queries(clusters):
    rows, labels = clusters
    results = accuracies(rows, labels, SMALL, [centroid, centroid])
    assert results.shape == (2, 20)
    assert (results[0] == results[1]).all()
    shuffled = np.random.default_rng(0).permutation(labels)
    chance = accuracies(rows, shuffled, SMALL, [centroid])
    assert results.mean() > 0.8 > 0.5 > chance.mean()


def test_interval_covers_the_mean():
    rng = np.random.default_rng(0)
    samples = rng.normal(0.6, 0.1, (200, 600))
    covered = [abs(s.mean() - 0.6) < interval(s) for s in samples]
    assert 0.9 < np.mean(covered) <= 1


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"ways": 1}, "An episode of one class has nothing to distinguish"),
        ({"shots": 0}, "shots is 0; allowed: 1 or more"),
        ({"queries": 0}, "queries is 0"),
        ({"episodes": 1}, "episodes is 1"),
    ],
)
def test_impossible_settings_are_refused(fields, match):
    with pytest.raises(ConfigError, match=match):
        Setting(**fields).check()
    Setting().check()


def test_too_few_classes_or_examples_are_refused():
    labels = np.repeat(np.arange(4), 6)
    with pytest.raises(DataError, match="has 4 classes, and an episode has 5"):
        Setting(ways=5, shots=1, queries=1).require_classes(labels, where="data")
    with pytest.raises(DataError, match="20 shots and 1 queries .* or more: use fewer"):
        Setting(ways=2, shots=20, queries=1).require_classes(labels, where="data")
    enough = Setting(ways=2, shots=2, queries=4).require_classes(labels, where="data")
    assert len(enough) == 4
