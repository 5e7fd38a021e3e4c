from pipelines.display.generator_table import generator_table


def test_losses_are_shown_from_first_to_last():
    text = generator_table(
        {
            "class_names": ["a", "b"],
            "losses": [(0.5, 1.5), (0.6, 1.4), (0.7, 1.3), (0.8, 1.2)],
            "examples": 70,
            "seconds": 3.2,
            "count": 9,
            "folder": "drawn",
        }
    )
    assert "learned from 70 training images of 2 classes in 3 s" in text
    assert [line.split()[0] for line in text.splitlines() if " of 4 " in line] == [
        *("1", "3", "4")
    ]
    assert "9 images of each class: drawn/images" in text
