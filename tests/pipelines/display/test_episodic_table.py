"""Gains, losses and nothing, each with what to do."""

import pytest

from pipelines.display.episodic_table import episodic_table


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (0.02, "zoo publish runs/meta"),
        (-0.02, "it lost; use the backbone as it was"),
        (0.005, "no difference; use the backbone as it was"),
    ],
)
def test_verdict_follows_the_interval(gain, words):
    text = episodic_table(
        {
            "setting": {
                "method": "anil",
                "rounds": 9,
                "episode": {"ways": 5, "shots": 1},
            },
            "classes": [6, 5],
            "backbone": "tiny_image",
            "trained_blocks": ["block_2", "block_3"],
            "losses": [1.5, 0.5],
            "episodes": 600,
            "before": 0.5,
            "after": 0.5 + gain,
            "gain": gain,
            "interval": 0.01,
            "path": "runs/meta",
            "seconds": {"total": 1.0},
        }
    )
    assert words in text
    assert "1.500 at first, 0.500 at last" in text
