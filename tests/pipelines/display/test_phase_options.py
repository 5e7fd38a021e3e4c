"""`zoo plan` prints the options that are set."""

from pipelines.display.plan_table import plan_table


def test_a_plan_names_options_that_are_set():
    phase = {
        "name": "fine_tune",
        "block_multipliers": [["stem", 0.0], ["block1", 1.0]],
        "epochs": 2,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "only_if_better": False,
        "momentum": 0.5,
        "tune": "norm",
        "lora_rank": 0,
        "label_smoothing": 0.1,
        "accumulate_steps": 4,
        "number_loss": "squared",
    }
    head = {**phase, "name": "head", "block_multipliers": [["stem", 0.0]]}
    plan = {"action": "partial", "reason": "So.", "phases": [head, phase]}
    compute = {"precision": "float32", "xla": False, "reason": "So it is."}
    planned = {"plan": plan, "evidence": None, "compute": compute, "seconds": {}}
    lines = plan_table(planned).splitlines()
    options = [line.split("  ", 1)[1] for line in lines if line.startswith("fine_tune")]
    assert options[1:] == [
        "momentum 0.5",
        "trains nothing but the scales and offsets of norms of its blocks",
        "label smoothing 0.1",
        "squared loss",
        "one update for 4 batches",
    ]
    usual = {"optimizer": "adam", "tune": "all", "label_smoothing": 0.0}
    phase.update(usual, accumulate_steps=1, number_loss="huber")
    assert "option" not in plan_table(planned)
