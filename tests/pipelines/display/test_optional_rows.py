"""Rows that only some runs have."""

from pipelines.display.optional_rows import (
    adaptation_rows,
    distillation_rows,
    fold_rows,
    unlabelled_rows,
    view_rows,
)

SCORES = {
    "count": 2,
    "metric": "accuracy",
    "mean": 0.9,
    "standard_deviation": 0.05,
    "per_fold": [0.85, 0.95],
}


def test_fold_rows_have_the_spread():
    assert fold_rows(None) == []
    ((title, words),) = fold_rows(SCORES)
    assert title == "2 folds"
    assert words == "accuracy 0.9000, standard deviation 0.0500 (0.8500, 0.9500)"
    assert fold_rows({**SCORES, "chosen": 1})[1] == ("head", "the best, of fold 2")


def test_view_rows_have_choice_and_cost():
    assert view_rows(None) == []
    choice = {"views": "flip", "reason": "A gain.", "multiply_adds": 2_000_000}
    assert view_rows(choice) == [
        ("test views", "flip. A gain. 2 M multiply-adds an image.")
    ]
    unknown = {**choice, "multiply_adds": None}
    assert view_rows(unknown) == [("test views", "flip. A gain.")]


def test_adaptation_rows_have_both_distances():
    assert adaptation_rows(None) == []
    before = {"distance": 1.5, "validation_accuracy": 0.9}
    record = {"examples": 40, "method": "none", "before": before, "after": None}
    ((title, words),) = adaptation_rows(record)
    assert title == "target"
    assert words.startswith("40 examples, proxy A-distance 1.50, not adapted")
    after = {"distance": 0.25, "validation_accuracy": 0.8}
    ((_, words),) = adaptation_rows({**record, "method": "mcc", "after": after})
    assert "1.50 before, 0.25 after mcc" in words
    assert "source validation 0.9000 before, 0.8000 after" in words


def test_distillation_rows_name_the_teacher():
    assert distillation_rows(None) == []
    record = {"teacher": "runs/large", "backbone": "vgg16", "temperature": 2.0}
    record |= {"weight": 0.9, "unlabelled": 0}
    ((title, words),) = distillation_rows(record)
    assert (title, words) == (
        "teacher",
        "runs/large (vgg16), temperature 2, weight 0.9",
    )
    ((_, words),) = distillation_rows({**record, "unlabelled": 40})
    assert words.endswith(", and 40 examples without labels")


def test_unlabelled_rows_have_what_they_were_worth():
    assert unlabelled_rows(None) == []
    record = {
        "reference": "dir:more",
        "examples": 80,
        "method": "none",
        "judged": {"before": 0.5, "after": 0.75},
    }
    ((title, words),) = unlabelled_rows(record)
    assert title == "without labels"
    assert words.startswith("80 examples of dir:more, ")
    assert "not used" in words
    ((_, words),) = unlabelled_rows({**record, "method": "propagation"})
    assert "out of fold 0.5000 before, 0.7500 after" in words
