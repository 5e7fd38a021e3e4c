"""The same seed gives the same weights and the same artifact in two processes."""

from tests.support.same_seed import trained_in_a_process

TINY = {
    "data": "builtin:digits?limit=120",
    "backbone": "tiny_image",
    "weights": "none",
    "strategy": "scratch",
    "input_size_px": 16,
    "finetune": {"epochs": 2},
}


def test_two_processes_agree(tmp_path):
    """Where TensorFlow is asked to be strict; `test_end_to_end` does it by default."""
    strict = {**TINY, "deterministic": "strict"}
    first = trained_in_a_process(tmp_path / "first", strict)
    second = trained_in_a_process(tmp_path / "second", strict, warm=True)
    assert first == second
    assert len(first) == 1
