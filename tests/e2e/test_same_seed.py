"""The same seed gives the same weights and the same artifact in two processes."""

from tests.support.same_seed import trained_in_a_process

TINY = {
    "data": "builtin:digits?limit=300",
    "backbone": "tiny_image",
    "weights": "none",
    "strategy": "scratch",
    "input_size_px": 16,
    "finetune": {"epochs": 2},
}


def test_two_processes_agree(tmp_path):
    """By default, and where TensorFlow is asked to be strict, one after the other."""
    runs = [TINY, {**TINY, "deterministic": "strict"}]
    first, second = (
        trained_in_a_process(tmp_path / name, *runs) for name in ("first", "second")
    )
    assert first == second
    assert len(first) == len(runs)
