"""The choice of examples: uncertain, alike to many, unlike known, no two of a kind."""

import numpy as np

from pipelines.suggestions.select import choose

# Five groups of 40 points each, far apart.
GROUPS = np.repeat(np.arange(5), 40)
_DRAW = np.random.default_rng(0)
POINTS = (10 * np.eye(5, 8)[GROUPS] + _DRAW.normal(size=(200, 8))).astype(np.float32)
UNSURE = np.full((200, 2), 0.5)
NONE = POINTS[:0]


def test_batch_has_no_two_of_a_kind():
    chosen = choose(POINTS, UNSURE, NONE, count=5)
    assert sorted(GROUPS[chosen.rows]) == [0, 1, 2, 3, 4]
    assert (chosen.margins == 0).all()


def test_groups_with_labels_come_last():
    chosen = choose(POINTS, UNSURE, POINTS[GROUPS < 3][::4], count=2)
    assert set(GROUPS[chosen.rows]) == {3, 4}


def test_sure_answers_come_last():
    sure = UNSURE.copy()
    sure[GROUPS != 2] = [0.999, 0.001]
    first = choose(POINTS, sure, NONE, count=1)
    assert GROUPS[first.rows].tolist() == [2]
    assert first.margins[0] == np.float64(0.999) - np.float64(0.001)


def test_copies_are_not_chosen_twice():
    twice = np.concatenate([POINTS[:6], POINTS[:6]])
    chosen = choose(twice, UNSURE[:12], NONE, count=6)
    assert len(set((chosen.rows % 6).tolist())) == 6


def test_count_beyond_the_pool_takes_all():
    done = []
    chosen = choose(POINTS[:3], UNSURE[:3], NONE, count=9, on_progress=done.append)
    assert sorted(chosen.rows) == [0, 1, 2]
    assert done == [1, 2, 3]
    one_class = choose(POINTS[:1], np.ones((1, 1)), POINTS, count=1)
    assert one_class.rows.tolist() == [0]


def test_large_pool_is_looked_at_in_part():
    answers = np.stack([np.linspace(0.5, 1, 200), np.linspace(0.5, 0, 200)], axis=1)
    chosen = choose(POINTS, answers, POINTS, count=40, most=40)
    # The 20 most uncertain ones, and 20 others.
    assert (chosen.rows < 20).sum() == 20
    assert len(set(chosen.rows.tolist())) == 40
    again = choose(POINTS, answers, POINTS, count=40, most=40)
    assert again.rows.tolist() == chosen.rows.tolist()
