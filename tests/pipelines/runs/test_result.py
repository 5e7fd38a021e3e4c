"""A finished run shows what it reached."""

import types

from pipelines.runs.result import Run


def test_repr_shows_accuracy_action_and_artifact(tmp_path):
    test = {"accuracy": 0.98765, "examples": 18}
    report = {"headline": ["accuracy"], "test": test}
    plan, nothing = types.SimpleNamespace(action="head_only"), object()
    run = Run(plan, nothing, nothing, report, nothing, tmp_path, tmp_path / "1")
    assert repr(run) == (
        f"<Run: accuracy 0.9877 on 18 test examples, head_only, {tmp_path / '1'}>"
    )
