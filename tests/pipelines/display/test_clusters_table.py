from pipelines.display.clusters_table import clusters_table

VALUES = {
    "k": 2,
    "sizes": [5, 3],
    "examples": 8,
    "skipped": 1,
    "backbone": "tiny_image",
    "agreement": 0.5,
    "candidates": [
        {"k": k, "stability": 0.9, "by_chance": 0.2, "worth": 0.8, "silhouette": 0.1}
        for k in (2, 3)
    ],
    "files": ["out/clusters.csv"],
}


def test_choice_is_marked_and_counts_are_told():
    text = clusters_table(VALUES)
    assert "2 clusters of 8 examples, by tiny_image: 5, 3" in text
    assert "left out, because they cannot be used: 1" in text
    assert "agreement with the labels: 0.50" in text
    assert [line.split()[:2] for line in text.splitlines() if "0.90" in line] == [
        ["2", "*"],
        ["3", "0.90"],
    ]
    assert text.endswith("written: out/clusters.csv")


def test_given_number_has_no_table():
    text = clusters_table(
        {**VALUES, "candidates": [], "agreement": None, "files": [], "skipped": 0}
    )
    assert text == "2 clusters of 8 examples, by tiny_image: 5, 3"
