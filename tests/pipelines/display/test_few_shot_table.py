from pipelines.display.few_shot_table import few_shot_table


def test_heads_are_rows_with_intervals():
    text = few_shot_table(
        {
            "setting": {"episodes": 9, "ways": 5, "shots": 1, "queries": 2},
            "heads": [{"head": "lda", "accuracy": 0.5, "interval": 0.02}],
            "backbone": "tiny_image",
            "reads": ["last"],
            "width": 8,
            "classes": 6,
            "base": "half of the classes",
            "base_classes": 6,
            "seconds": {"total": 1.0},
        }
    )
    assert "9 episodes, 5-way 1-shot" in text
    assert "8 features of 1 block, around the mean of half of the classes (6" in text
    assert "lda     0.5000  0.4800 to 0.5200" in text
