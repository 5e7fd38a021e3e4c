from pipelines.display.plan_table import plan_table
from tests.support.evidence import evidence


def test_plan_shows_cuts_and_how_phases_are_kept():
    measured = evidence(far=False)
    measured["cuts"] = [{**measured["depths"][1], "reads": ["stem", "middle"]}]
    measured["source_answers"] = None
    phase = {"block_multipliers": [["stem", 0.0]], "epochs": 2, "optimizer": "adam"}
    kept = [
        {"only_if_better": better, "whole": whole, "learning_rate": 0.1, "name": "a"}
        for better, whole in ((False, False), (True, False), (True, True))
    ]
    planned = {
        "plan": {
            "action": "cut",
            "reason": "Because.",
            "phases": [{**phase, **how} for how in kept],
        },
        "evidence": measured,
        "compute": {"precision": "float32", "xla": False, "reason": "So it is."},
        "seconds": {"total": 1.0},
    }
    lines = plan_table(planned).splitlines()
    assert any(line.startswith("cut: 2 blocks") for line in lines)
    ends = [line.rpartition("0.1  ")[2] for line in lines if line.startswith("a ")]
    assert ends == ["always", "only if better", "whole, if better"]
