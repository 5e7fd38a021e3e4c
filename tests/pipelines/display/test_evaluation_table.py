from pipelines.display.evaluation_table import evaluation_table, mistakes_table


def test_an_evaluation_has_a_row_for_every_class():
    one = {"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "examples": 4}
    table = evaluation_table(
        {
            "accuracy": 0.75,
            "calibration_error": 0.0314,
            "balanced_accuracy": 0.5,
            "examples": 8,
            "per_class": {"cat": one, "dog": one},
        }
    )
    first, second, _, header, *rows = table.splitlines()
    assert first == "accuracy 0.7500 on 8 examples (0.5000 balanced)"
    assert second == "expected calibration error 0.0314"
    assert header.split() == ["class", "precision", "recall", "f1", "examples"]
    assert [row.split() for row in rows] == [
        ["cat", "1.000", "0.500", "0.667", "4"],
        ["dog", "1.000", "0.500", "0.667", "4"],
    ]


def test_mistakes_are_cut_to_a_line():
    mistake = {
        "example": f"photos/{'x' * 90}/1.jpg",
        "label": "two\nlines",
        "predicted": "",
        "confidence": 0.5,
        "accepted": False,
    }
    _, row = mistakes_table([mistake]).splitlines()
    assert row.startswith(f"...{'x' * 51}/1.jpg  two\\nlines  (not valid)")
    assert row.endswith("0.5000  no")
