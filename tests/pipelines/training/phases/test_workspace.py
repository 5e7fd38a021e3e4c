"""A workspace that names its files needs nothing else."""

from pipelines.training.phases.workspace import Workspace


def test_default_has_no_deadline_and_no_callback(tmp_path):
    workspace = Workspace(tmp_path / "history.jsonl", tmp_path / "tensorboard")
    assert workspace.deadline_seconds == float("inf")
    assert workspace.callbacks(None) == ()
    assert not workspace.progress.was_saved
