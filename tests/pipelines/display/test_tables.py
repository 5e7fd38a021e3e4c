from pipelines.display.tables import aligned


def test_aligned_columns_line_up_with_numbers_at_right():
    table = aligned([("name", "count"), ("cat", 7), ("elephant", "1,234")])
    assert table.splitlines() == [
        "name      count",
        "cat           7",
        "elephant  1,234",
    ]


def test_no_line_ends_in_blanks():
    lines = aligned([("a", "note"), ("b", ""), ("c", "x")]).splitlines()
    assert lines == ["a  note", "b", "c  x"]
