import pytest

from pipelines.cli import main
from pipelines.commands.runs import tune

SEARCH = {
    "trials": [
        {"number": 0, "choices": {}, "accuracy": 0.5, "seconds": 2.0, "reason": "plan"},
        {
            "number": 1,
            "choices": {"finetune.block_decay": 0.7},
            "accuracy": 0.75,
            "seconds": 3.0,
            "reason": "",
        },
        {
            "number": 2,
            "choices": {},
            "accuracy": None,
            "seconds": None,
            "reason": "cut",
        },
    ],
    "chosen": 1,
    "reason": "It gains more than a standard error.",
    "warning": "Validation was used 3 times.",
    "config_path": "runs/search/best_config.py",
}


def test_table_has_the_best_trial_first():
    header, first, second, third, *rest = tune._table(SEARCH).strip().splitlines()
    assert header.split()[:3] == ["trial", "finetune.block_decay", "validation"]
    assert first.split() == ["1", "0.7", "0.7500", "3.0", "chosen"]
    assert second.split() == ["0", "-", "0.5000", "2.0", "plan"]
    assert third.split() == ["2", "-", "-", "-", "cut"]
    assert "Warning: Validation was used 3 times." in rest


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--trials=x"], "invalid int value: 'x'"),
        (["--config.sed=3"], "no config.sed. Did you mean config.seed?"),
        (["--config.data=dir:x"], "config.workdir is empty"),
    ],
)
def test_tune_wrong_usage_is_2(capsys, flags, message):
    assert main(["tune", *flags]) == 2
    assert message in capsys.readouterr().err
