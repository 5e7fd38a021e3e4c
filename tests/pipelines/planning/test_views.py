"""A mirrored view is taken if it was asked for, or gains clearly."""

import numpy as np
import pytest

from pipelines.planning.views import choose_views

PLAIN = np.repeat([1.0, 0.0], 50)


def _choice(gained, *, asked="auto", groups=None):
    mirrored = PLAIN.copy()
    mirrored[50 : 50 + gained] = 1.0
    return choose_views(PLAIN, mirrored, groups, asked=asked)


@pytest.mark.parametrize(("gained", "views"), [(0, "none"), (1, "none"), (9, "flip")])
def test_auto_takes_views_that_gain_clearly(gained, views):
    choice = _choice(gained)
    assert choice.views == views
    assert choice.gain == pytest.approx(gained / 100)
    assert choice.examples == 100
    assert f"better by {gained / 100:.4f} (standard error" in choice.reason


def test_one_group_is_no_clear_gain():
    groups = np.where(np.arange(100) < 59, np.arange(100), 59)
    groups[50:59] = 50
    assert _choice(9, groups=groups).views == "none"


def test_views_that_were_asked_for_are_taken():
    choice = _choice(0, asked="flip")
    assert choice.views == "flip"
    assert choice.reason.startswith("As config.test_views says")
    worse = choose_views(PLAIN, np.zeros(100), None, asked="flip")
    assert "are answered worse by 0.5000 (standard error" in worse.reason
