"""The better student on the same validation examples is kept."""

import numpy as np
import pytest

from pipelines.comparison.finished import Answers
from pipelines.distillation.choice import choose, chosen


def _answers(right, loss=0.1):
    right = np.array(right, bool)
    names, losses = [str(i) for i in range(len(right))], np.full(len(right), loss)
    return Answers(names, names, right, np.full(len(right), 0.9), losses)


@pytest.mark.parametrize(
    ("taught", "loss", "kept"),
    [
        ([1, 1, 1, 0], 0.1, "distilled"),
        ([1, 0, 0, 0], 0.1, "alone"),
        ([0, 1, 1, 0], 0.05, "distilled"),
        ([0, 1, 1, 0], 0.1, "alone"),
        ([0, 1, 1, 0], 0.2, "alone"),
    ],
)
def test_accuracy_decides_and_then_the_loss(taught, loss, kept):
    choice = chosen(_answers([1, 1, 0, 0]), _answers(taught, loss))
    assert choice.kept == kept
    assert choice.gain == pytest.approx((sum(taught) - 2) / 4)
    assert choice.reason.startswith(f"The student {kept} is kept")


def test_choice_reads_validation_of_both_runs(distilled):
    folder = distilled.workdir
    choice = choose(folder / "alone", folder / "distilled")
    assert choice == distilled.choice
    assert choice.examples == 20
