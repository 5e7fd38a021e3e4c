from pipelines.display.meta_table import meta_table


def row(step, gain):
    return {
        "examples": "fitted",
        "step": step,
        "peer": "adam",
        "rate": 0.003,
        "learned": 0.5,
        "loss": 0.5 + gain,
        "gain": gain,
        "interval": 0.1,
    }


def test_wins_and_losses_are_said():
    text = meta_table(
        {
            "setting": {"rounds": 9, "tasks": {"episode": {"ways": 3, "shots": 20}}},
            "classes": [5, 4],
            "backbone": "tiny_image",
            "width": 8,
            "losses": [1.0, 0.5],
            "comparison": [row(100, -0.2), row(20, 0.2), row(50, 0.05)],
            "path": "m/optimizer.npz",
            "seconds": {"total": 1.0},
        }
    )
    ends = [line.split()[-1] for line in text.splitlines() if " adam " in line]
    assert ends == ["wins", "even", "loses"]
    assert "drawn from 5 classes; judged on 4 others" in text
    assert 'LearnedOptimizer.load("m/optimizer.npz")' in text
