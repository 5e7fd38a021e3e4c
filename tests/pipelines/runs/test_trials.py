"""Another trial than the default is chosen only for more than a standard error."""

import pytest

from pipelines.runs.trials import OUT_OF_TIME, choose, counts, queue

optuna = pytest.importorskip("optuna")


def study_with(*accuracies: float) -> optuna.Study:
    """The first one is the default."""
    study = optuna.create_study(direction="maximize")
    for number, accuracy in enumerate(accuracies):
        study.enqueue_trial({}, user_attrs={"default": True} if not number else None)
        study.tell(study.ask(), accuracy)
    return study


@pytest.mark.parametrize(
    ("accuracies", "examples", "chosen", "said"),
    [
        ((0.9, 0.8), 100, 0, "No trial is better"),
        ((0.9, 0.9), 100, 0, "No trial is better"),
        ((0.9, 0.92), 100, 0, "may be chance"),
        ((0.9, 0.92, 0.91), 10_000, 1, "Trial 1 gains 0.0200"),
        ((0.5, 0.7, 0.9), 100, 2, "Trial 2 gains 0.4000"),
    ],
)
def test_what_is_chosen(accuracies, examples, chosen, said):
    trial, reason = choose(study_with(*accuracies).trials, examples)
    assert trial.number == chosen
    assert said in reason


@pytest.mark.parametrize(("error", "chosen"), [(0.05, 1), (0.3, 0)])
def test_other_metrics_bring_their_standard_error(error, chosen):
    trials = study_with(-0.1, 0.1).trials
    trial, reason = choose(trials, 100, metric="r2", standard_error=error)
    assert trial.number == chosen
    assert f"standard error of such a r2 is {error:.4f}" in reason


def test_lost_trials_are_queued_once_ended_ones_never():
    study = study_with(0.9)
    study.enqueue_trial({"x": 1.0})
    lost = study.ask()
    lost.suggest_float("x", 0, 2)
    late = study.ask()
    late.set_user_attr("reason", OUT_OF_TIME)
    study.tell(late, state=optuna.trial.TrialState.PRUNED)
    pruned = study.ask()
    pruned.set_user_attr("reason", "worse")
    study.tell(pruned, state=optuna.trial.TrialState.PRUNED)
    for _ in range(2):
        queue(study, {})
        states = [one.state.name for one in study.trials]
        ended = ["COMPLETE", "FAIL", "PRUNED", "PRUNED"]
        assert states == [*ended, "WAITING", "WAITING"]
    assert sum(map(counts, study.trials)) == 2
    assert study.ask().suggest_float("x", 0, 2) == 1.0


def test_the_default_comes_first():
    study = optuna.create_study()
    queue(study, {"x": 0.5})
    assert study.ask().suggest_float("x", 0, 1) == 0.5
    assert study.trials[0].user_attrs == {"default": True}
