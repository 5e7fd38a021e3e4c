"""The table of a choice names what was compared, what was chosen, and what was not."""

from pipelines.display.choice_table import choice_table

ROW = {
    "backbone": "small",
    "input_size_px": 128,
    "accuracy": 0.9,
    "behind": 0.01,
    "standard_error": 0.02,
    "multiply_adds": 130_000_000,
    "parameters": 10,
    "examples_per_second": 99.6,
    "seconds": 1.0,
}
CHOICE = {
    "backbone": "small",
    "input_size_px": 128,
    "metric": "accuracy",
    "compared": [ROW, {**ROW, "backbone": "large", "multiply_adds": None}],
    "left_out": [{"backbone": "broken", "reason": "no such op"}],
}


def test_choice_table_has_costs_and_the_choice():
    header, small, large, broken = choice_table(CHOICE).splitlines()
    assert "left-out accuracy" in header
    assert small.split() == [
        "small",
        "128",
        "0.9000",
        "0.0100",
        "0.0200",
        "130",
        "M",
        "100",
        "chosen",
    ]
    assert large.split() == ["large", "128", "0.9000", "0.0100", "0.0200", "-", "100"]
    assert broken == "broken: no such op"


def test_choice_table_of_texts_has_no_size():
    choice = {**CHOICE, "input_size_px": 0, "left_out": []}
    choice["compared"] = [{**ROW, "input_size_px": None}]
    _, row = choice_table(choice).splitlines()
    assert row.split()[1] == "-"
    assert row.endswith("chosen")


def test_choice_table_is_empty_without_a_comparison():
    assert choice_table({**CHOICE, "compared": [], "left_out": []}) == ""
