"""Expected answers on classes, with margins where rounding decides."""

import numpy as np

from pipelines.calibration.calibration import uncalibrated
from pipelines.problems.class_answers import bytes_of, expected, numbers, of_examples


def test_a_tie_has_no_margin():
    fitted = uncalibrated(2, reason="")
    logits, features = np.float32([[3, 0], [1, 1]]), np.zeros((2, 1), np.float32)
    wanted = expected(fitted, logits, features, ("cat", "dog"), unit=1.0)
    assert wanted["label"].values.tolist() == [b"cat", b"cat"]
    certain, tied = wanted["label"].margins["probabilities"]
    assert certain > 0.4
    assert tied == 0
    listed = of_examples(wanted["probabilities"], ("cat", "dog"))
    assert listed["classes"].values.tolist() == [[b"cat", b"dog"]] * 2
    assert sorted(numbers(fitted, logits, features)) == ["ood_score", "probabilities"]


def test_names_are_utf8():
    assert bytes_of(["ä", "b"]).tolist() == ["ä".encode(), b"b"]
