"""Rounds of any learner: progress of another method is refused."""

import keras
import pytest

from pipelines.errors import ConfigError
from pipelines.methods.meta import rounds


class _Learner:
    def __init__(self, size: int = 2) -> None:
        self.variables = [keras.Variable([0.0] * size)]
        self.optimizer = keras.optimizers.SGD(1.0)
        self.optimizer.build(self.variables)

    def round(self, number: int) -> float:
        self.variables[0].assign(self.variables[0].numpy() + 1)
        return float(number)


def _trained(learner, folder, *, count=3, method="reptile"):
    return rounds.train_rounds(
        learner,
        rounds=count,
        method=method,
        progress_file=folder / "progress.npz",
        settings={},
        on_progress=lambda done: None,
    )


def test_more_rounds_go_on_from_the_last(tmp_path):
    assert _trained(_Learner(), tmp_path) == (0.0, 1.0, 2.0)
    learner = _Learner()
    assert _trained(learner, tmp_path, count=5) == (0.0, 1.0, 2.0, 3.0, 4.0)
    assert list(learner.variables[0].numpy()) == [5.0, 5.0]


def test_progress_of_another_method_is_refused(tmp_path):
    _trained(_Learner(), tmp_path)
    with pytest.raises(ConfigError, match="cannot be read as the progress"):
        _trained(_Learner(), tmp_path, method="anil")


def test_progress_of_another_network_is_refused(tmp_path):
    _trained(_Learner(), tmp_path)
    with pytest.raises(ConfigError, match="arrays of other shapes"):
        _trained(_Learner(size=3), tmp_path)
