from pipelines.display.ranking_table import ranking_table

SCORE = {
    "backbone": "small",
    "probe": {"accuracy": 0.75, "standard_error": 0.02},
    "last": {"accuracy": 0.7},
    "imagenet_top1": None,
    "logme": 0.1234,
    "h_score": 1.5,
    "leep": None,
    "examples": 200,
    "input_size_px": 64,
    "seconds": 1.25,
    "examples_per_second": 80.4,
    "peak_memory_bytes": None,
}


def test_ranking_names_finalists_baselines_and_missing():
    table = ranking_table(
        {
            "reason": "Because.",
            "backbones": [SCORE, {**SCORE, "backbone": "other"}],
            "finalists": ["small"],
            "majority_accuracy": 0.1,
            "pixel_accuracy": None,
            "left_out": [{"backbone": "broken", "reason": "no such op"}],
            "missing": ["a", "b", "c", "d"],
            "seconds": {"total": 3.0},
        }
    )
    reason, _, header, small, other, same, *rest = table.splitlines()
    assert reason == "Because."
    assert header.split()[:3] == ["backbone", "left-out", "accuracy"]
    assert small.split()[:5] == ["small", "0.7500", "0.0200", "0.7000", "-"]
    assert other.endswith("first round")
    assert same.split() == ["most", "frequent", "class", "0.1000"]
    text = "\n".join(rest)
    assert "leep -: the weights do not carry the classifier" in text
    assert "broken: no such op" in text
    assert "see `zoo fetch`: a, b, c, and 1 more" in text
