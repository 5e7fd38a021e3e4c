"""Worst and best answers are picked where labels are several, or numbers."""

from pipelines.report.answer_rows import AnomalyRow, LabelRow, NumberRow
from pipelines.stages.gallery.answer_picks import number_words, pick_answers


def label_row(labels, predicted, confidence):
    return LabelRow("test", "x", labels, predicted, confidence, True, 0.0, {})


def number_row(value, predicted, width=2.0):
    ends = {"y": (predicted - width / 2, predicted + width / 2)}
    return NumberRow("test", "x", {"y": value}, {"y": predicted}, ends, True, 0.0)


def test_wrong_labels_come_surest_first():
    picks = pick_answers(
        [
            label_row(("a",), ("a",), 0.6),
            label_row(("a",), ("b",), 0.7),
            label_row(("b", "a"), ("a", "b"), 0.8),
            label_row((), ("b",), 0.9),
        ]
    )
    assert [(pick.row, pick.role) for pick in picks] == [
        (3, "mistake"),
        (1, "mistake"),
        (2, "typical"),
        (0, "typical"),
    ]
    assert (picks[0].label, picks[0].predicted) == ("(no label)", "b")
    assert picks[2].label == picks[2].predicted == "b | a"


def test_errors_are_measured_by_intervals():
    rows = [number_row(3, 3.5), number_row(3, 5, width=100), number_row(3, 4)]
    picks = pick_answers(rows)
    assert [(pick.row, pick.role) for pick in picks] == [
        (2, "mistake"),
        (0, "mistake"),
        (1, "typical"),
    ]
    assert (picks[0].label, picks[0].predicted) == ("3", "4")
    assert number_words({"x": 1.0, "y": 2.5}) == "x 1, y 2.5"


def test_other_rows_have_no_picks():
    assert pick_answers([AnomalyRow("test", "x", "normal", True, 1.0, 0.1)]) == []
    assert pick_answers([]) == []
